"""Small, complete bundles: a linear model over any columns, as training would leave it."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from modelmill.models.manifest import MANIFEST_FILE, MODEL_FILE, BundleFile, Manifest
from modelmill.models.signature import Feature, Signature, Tensor

VOCABULARY = ["", "a", "b", "é"]

MIXED = [("age", "number"), ("sex", "category"), ("seen", "timestamp"), ("smoker", "boolean"), ("visits", "integer")]


def features_of(columns: list[tuple[str, str]]) -> list[Feature]:
    """Features for (name, type) pairs, placed one after the other."""
    places = {"numeric": 0, "categorical": 0}
    features = []
    for name, kind in columns:
        tensor = "categorical" if kind == "category" else "numeric"
        feature = Feature(name, kind, tensor, places[tensor])  # type: ignore[arg-type]
        places[tensor] += feature.width
        features.append(feature)
    return features


def signature_of(columns: list[tuple[str, str]], labels: list[str] | None) -> Signature:
    """The signature of a model over these columns."""
    features = features_of(columns)
    inputs = []
    for name, datatype in (("numeric", "FP64"), ("categorical", "BYTES")):
        width = sum(feature.width for feature in features if feature.input == name)
        if width:
            inputs.append(Tensor(name, datatype, [-1, width]))  # type: ignore[arg-type]
    outputs = [Tensor("value", "FP64", [-1, 1])]
    if labels is not None:
        outputs = [Tensor("label", "BYTES", [-1]), Tensor("probabilities", "FP32", [-1, len(labels)])]
    return Signature("tabular", inputs, outputs, features)


def linear_graph(signature: Signature, labels: list[str] | None, seed: int = 0) -> onnx.ModelProto:
    """Missing numbers as 0, one-hot categories, random weights, softmax for classes."""
    random = np.random.default_rng(seed)
    classes = len(labels) if labels else 1
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, Any] = {
        "zero": np.zeros(1, np.float64),
        "bias": random.normal(size=classes).astype(np.float32),
    }
    parts = []
    for tensor in signature.inputs:
        if tensor.name == "numeric":
            nodes += [
                helper.make_node("IsNaN", ["numeric"], ["missing"]),
                helper.make_node("Where", ["missing", "zero", "numeric"], ["filled"]),
                helper.make_node("Cast", ["filled"], ["numbers"], to=TensorProto.FLOAT),
            ]
            parts.append("numbers")
        else:
            nodes += [
                helper.make_node(
                    "OneHotEncoder", ["categorical"], ["hot"], domain="ai.onnx.ml", cats_strings=VOCABULARY, zeros=1
                ),
                helper.make_node("Flatten", ["hot"], ["flat"], axis=1),
            ]
            parts.append("flat")
    width = sum(t.shape[1] * (len(VOCABULARY) if t.name == "categorical" else 1) for t in signature.inputs)
    constants["weights"] = (random.normal(size=(width, classes)) * 0.01).astype(np.float32)
    nodes += [
        helper.make_node("Concat", parts, ["features"], axis=1),
        helper.make_node("MatMul", ["features", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["scores"]),
    ]
    if labels is None:
        nodes.append(helper.make_node("Cast", ["scores"], ["value"], to=TensorProto.DOUBLE))
    if labels:
        constants["labels"] = np.array(labels, dtype=object)
        nodes += [
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
            helper.make_node("ArgMax", ["probabilities"], ["best"], axis=1, keepdims=0),
            helper.make_node("Gather", ["labels", "best"], ["label"], axis=0),
        ]
    return _model(signature, nodes, constants)


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    initializers: list[onnx.TensorProto] | None = None,
    **graph: Any,
) -> onnx.ModelProto:
    """A model of opset 18 with these nodes."""
    body = helper.make_graph(nodes, "graph", inputs, outputs, initializers or [], **graph)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(body, opset_imports=opsets, ir_version=8)


def _model(signature: Signature, nodes: list[onnx.NodeProto], constants: dict[str, Any]) -> onnx.ModelProto:
    kinds = {"FP64": TensorProto.DOUBLE, "FP32": TensorProto.FLOAT, "BYTES": TensorProto.STRING}

    def value(tensor: Tensor) -> onnx.ValueInfoProto:
        shape = ["N" if size == -1 else size for size in tensor.shape]
        return helper.make_tensor_value_info(tensor.name, kinds[tensor.datatype], shape)

    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    return model_of(nodes, [value(t) for t in signature.inputs], [value(t) for t in signature.outputs], initializers)


def endless() -> bytes:
    """A model of one number whose loop has a condition that stays true."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["again"], ["still"]),
            helper.make_node("Add", ["carried", "carried"], ["doubled"]),
        ],
        "body",
        [
            value("turn", TensorProto.INT64, []),
            value("again", TensorProto.BOOL, []),
            value("carried", TensorProto.DOUBLE, ["N", 1]),
        ],
        [value("still", TensorProto.BOOL, []), value("doubled", TensorProto.DOUBLE, ["N", 1])],
    )
    nodes = [
        helper.make_node("Loop", ["", "true", "numeric"], ["end"], body=body),
        helper.make_node("Abs", ["end"], ["value"]),
    ]
    true = numpy_helper.from_array(np.array(True), "true")
    inputs = [value("numeric", TensorProto.DOUBLE, ["N", 1])]
    outputs = [value("value", TensorProto.DOUBLE, ["N", 1])]
    return bytes(model_of(nodes, inputs, outputs, [true]).SerializeToString())


def write_bundle(
    folder: Path,
    columns: list[tuple[str, str]] = MIXED,
    labels: list[str] | None = None,
    *,
    seed: int = 0,
    model: bytes | None = None,
    **changes: Any,
) -> Manifest:
    """A bundle in `folder`; a regression without labels. `changes` replace fields of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    signature = signature_of(columns, labels)
    content = model if model is not None else linear_graph(signature, labels, seed).SerializeToString()
    (folder / MODEL_FILE).write_bytes(content)
    manifest = Manifest(
        kind="tabular",
        task="regression" if labels is None else "binary" if len(labels) == 2 else "multiclass",
        algorithm="linear",
        target="target",
        spec={},
        signature=signature,
        labels=labels,
        metrics={"test": {"r2": 0.5}},
        parity={"passed": True},
        split={},
        lineage={},
        libraries={},
        files={MODEL_FILE: BundleFile(hashlib.sha256(content).hexdigest(), len(content))},
        created_at="2026-11-23T01:02:03Z",
    )
    manifest = replace(manifest, **changes)
    (folder / MANIFEST_FILE).write_text(manifest.to_json())
    return manifest


def write_tensor_bundle(
    folder: Path, model: onnx.ModelProto, signature: Signature, labels: list[str] | None = None
) -> Manifest:
    """A bundle of an uploaded model in `folder`."""
    task = None if labels is None else "binary" if len(labels) == 2 else "multiclass"
    facts: dict[str, Any] = {"kind": "tensor", "task": task, "algorithm": "uploaded", "target": None, "metrics": {}}
    return write_bundle(
        folder, labels=labels, model=bytes(model.SerializeToString()), signature=signature, parity={}, **facts
    )


ELEMENT_TYPES = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}


def value_of(tensor: Tensor) -> onnx.ValueInfoProto:
    """A tensor of a signature as an input or output of a graph."""
    shape = [f"{tensor.name}_{place}" if size == -1 else size for place, size in enumerate(tensor.shape)]
    return helper.make_tensor_value_info(tensor.name, ELEMENT_TYPES[tensor.datatype], shape)


def identity_of(*inputs: Tensor) -> tuple[onnx.ModelProto, Signature]:
    """A model that gives each input back, `x` as `x_out`."""
    outputs = [tensor._replace(name=f"{tensor.name}_out") for tensor in inputs]
    nodes = [helper.make_node("Identity", [t.name], [o.name]) for t, o in zip(inputs, outputs, strict=True)]
    model = model_of(nodes, [value_of(t) for t in inputs], [value_of(t) for t in outputs])
    return model, Signature("tensor", list(inputs), outputs, [])


def manifest_sha256(folder: Path) -> str:
    """What a registered version pins."""
    return hashlib.sha256((folder / MANIFEST_FILE).read_bytes()).hexdigest()
