"""The models that everything is measured with, made once into `.bench/models`: `python -m benchmarks.reference_models`.

forest  scikit-learn's random forest, 100 trees of depth 10 over 30 numbers, two classes
cnn     pictures of 28 x 28 to 10 classes: two convolutions, each pooled, and two dense layers; 106,000 weights
minilm  all-MiniLM-L6-v2 with its real weights, 64 tokens to one vector
mixed   a linear model over a table of numbers, categories, a boolean and a timestamp
"""

import argparse
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

from benchmarks.environments import CACHE, PEERS, python_of
from modelmill.models.admission import admit_bundle, admit_upload
from modelmill.models.manifest import MODEL_FILE
from modelmill.models.signature import Signature, Tensor
from tests.bundles import linear_graph, model_of, signature_of, write_bundle

type Arrays = dict[str, NDArray[Any]]
type Columns = list[tuple[str, str]]

LABELS = ["no", "yes"]
NUMBERS: Columns = [(f"feature_{place}", "number") for place in range(30)]
MIXED: Columns = [(f"number_{place}", "number") for place in range(8)] + [
    ("region", "category"),
    ("plan", "category"),
    ("device", "category"),
    ("member", "boolean"),
    ("joined", "timestamp"),
]
SEQUENCE = 64
VOCABULARY = 30_522


@dataclass(frozen=True)
class Reference:
    """What is known of a model: its tensors and, where it has named columns, these.

    arrays: a batch of so many rows. instances: the same as JSON of `/v1/models/{model}/predict`.
    """

    name: str
    build: Callable[[], bytes]
    signature: Signature
    columns: Columns | None
    arrays: Callable[[int], Arrays]
    instances: Callable[[int], list[Any]]

    @property
    def path(self) -> Path:
        """The ONNX file, made when it is not there."""
        path = CACHE / "models" / f"{self.name}.onnx"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(self.build())
            part.rename(path)
        return path

    @property
    def outputs(self) -> list[str]:
        return [tensor.name for tensor in self.signature.outputs]

    def write_bundle(self, folder: Path) -> None:
        """From training where it has columns, else from an upload, as admission leaves it."""
        shutil.rmtree(folder, ignore_errors=True)
        if self.columns is not None:
            write_bundle(folder, self.columns, LABELS, model=self.path.read_bytes())
            admit_bundle(folder)
            return
        folder.mkdir(parents=True)
        shutil.copyfile(self.path, folder / MODEL_FILE)
        admit_upload(folder, None)


def session(path: Path) -> ort.InferenceSession:
    """A session on one thread, as everybody here runs it."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _forest() -> bytes:
    random = np.random.default_rng(0)
    x = random.normal(size=(4000, len(NUMBERS))).astype(np.float32)
    y = np.array(LABELS)[(x[:, 0] * x[:, 1] + random.normal(size=4000) > 0).astype(int)]
    fitted = RandomForestClassifier(100, max_depth=10, random_state=0).fit(x, y)
    model = to_onnx(fitted, x[:1], options={"zipmap": False}, target_opset={"": 18, "ai.onnx.ml": 3})
    graph = model.graph
    graph.node.insert(0, helper.make_node("Cast", ["numeric"], [graph.input[0].name], to=TensorProto.FLOAT))
    for node in graph.node:
        node.output[:] = ["label" if name == graph.output[0].name else name for name in node.output]
    graph.output[0].name = "label"
    graph.input[0].CopyFrom(helper.make_tensor_value_info("numeric", TensorProto.DOUBLE, ["N", len(NUMBERS)]))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _cnn() -> bytes:
    random = np.random.default_rng(0)
    shapes = {
        "first": (16, 1, 3, 3),
        "second": (32, 16, 3, 3),
        "hidden": (7 * 7 * 32, 64),
        "last": (64, 10),
    }
    weights = {name: random.normal(size=shape) * (2 / np.prod(shape[1:])) ** 0.5 for name, shape in shapes.items()}
    weights |= {"hidden": weights["hidden"] * 0.2, "hidden_bias": np.zeros(64), "last_bias": np.zeros(10)}
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    half = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("Transpose", ["image"], ["channels_first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["channels_first", "first"], ["c1"], **same),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], **half),
        helper.make_node("Conv", ["p1", "second"], ["c2"], **same),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("MaxPool", ["r2"], ["p2"], **half),
        helper.make_node("Flatten", ["p2"], ["flat"]),
        helper.make_node("Gemm", ["flat", "hidden", "hidden_bias"], ["h"]),
        helper.make_node("Relu", ["h"], ["r3"]),
        helper.make_node("Gemm", ["r3", "last", "last_bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    value = helper.make_tensor_value_info
    inputs = [value("image", TensorProto.FLOAT, ["N", 28, 28, 1])]
    outputs = [value("probabilities", TensorProto.FLOAT, ["N", 10])]
    initializers = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    return bytes(model_of(nodes, inputs, outputs, initializers).SerializeToString())


def _minilm() -> bytes:
    raw = CACHE / "models" / "minilm.raw.onnx"
    subprocess.run([python_of("minilm"), PEERS / "minilm" / "export.py", raw], check=True, capture_output=True)
    model = onnx.ModelProto.FromString(raw.read_bytes())
    raw.unlink()
    graph = model.graph
    graph.node.append(helper.make_node("Identity", [graph.output[0].name], ["embedding"]))
    graph.output[0].name = "embedding"
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    return bytes(model.SerializeToString())


def _forest_arrays(count: int) -> Arrays:
    return {"numeric": np.random.default_rng(1).normal(size=(count, len(NUMBERS))).round(6)}


def _forest_instances(count: int) -> list[Any]:
    names = [name for name, _ in NUMBERS]
    return [dict(zip(names, row, strict=True)) for row in _forest_arrays(count)["numeric"].tolist()]


def _cnn_arrays(count: int) -> Arrays:
    pixels = np.random.default_rng(1).integers(0, 256, size=(count, 28, 28, 1))
    return {"image": (pixels / 255).astype(np.float32)}


def _minilm_arrays(count: int) -> Arrays:
    random = np.random.default_rng(1)
    ids = random.integers(1000, VOCABULARY, size=(count, SEQUENCE))
    mask = (np.arange(SEQUENCE) < random.integers(SEQUENCE // 2, SEQUENCE + 1, size=(count, 1))).astype(np.int64)
    return {"input_ids": ids * mask, "attention_mask": mask}


def _tensor_instances(arrays: Callable[[int], Arrays]) -> Callable[[int], list[Any]]:
    def instances(count: int) -> list[Any]:
        """Floats with the digits of float32, as clients print them."""
        columns = {name: _short(array) for name, array in arrays(count).items()}
        return [{name: column[row] for name, column in columns.items()} for row in range(count)]

    return instances


def _short(array: NDArray[Any]) -> list[Any]:
    return array.tolist() if array.dtype != np.float32 else np.vectorize(lambda x: float(str(x)))(array).tolist()


def _mixed_instances(count: int) -> list[Any]:
    random = np.random.default_rng(1)
    made = {
        "number": lambda: round(float(random.normal()), 6),
        "category": lambda: "ab"[int(random.integers(2))],
        "boolean": lambda: bool(random.integers(2)),
        "timestamp": lambda: f"2026-{random.integers(1, 13):02}-11T08:15:00Z",
    }
    return [{name: made[kind]() for name, kind in MIXED} for _ in range(count)]


def _mixed_arrays(count: int) -> Arrays:
    """What the platform's own decoder makes of the instances: no peer has one for columns of these types."""
    from modelmill.serving.decode_columns import TabularDecoder

    return TabularDecoder(signature_of(MIXED, LABELS))(_mixed_instances(count))


def _mixed() -> bytes:
    return bytes(linear_graph(signature_of(MIXED, LABELS), LABELS).SerializeToString())


CNN = Signature("tensor", [Tensor("image", "FP32", [-1, 28, 28, 1])], [Tensor("probabilities", "FP32", [-1, 10])], [])
MINILM = Signature(
    "tensor",
    [Tensor("attention_mask", "INT64", [-1, SEQUENCE]), Tensor("input_ids", "INT64", [-1, SEQUENCE])],
    [Tensor("embedding", "FP32", [-1, 384])],
    [],
)

MODELS = {
    model.name: model
    for model in (
        Reference("forest", _forest, signature_of(NUMBERS, LABELS), NUMBERS, _forest_arrays, _forest_instances),
        Reference("cnn", _cnn, CNN, None, _cnn_arrays, _tensor_instances(_cnn_arrays)),
        Reference("minilm", _minilm, MINILM, None, _minilm_arrays, _tensor_instances(_minilm_arrays)),
        Reference("mixed", _mixed, signature_of(MIXED, LABELS), MIXED, _mixed_arrays, _mixed_instances),
    )
}


@cache
def expected(name: str, count: int) -> NDArray[np.float64]:
    """The last output of `InferenceSession.run` for a batch: probabilities, or the embedding."""
    model = MODELS[name]
    outputs = session(model.path).run(model.outputs, model.arrays(count))
    return np.asarray(outputs[-1], dtype=np.float64)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for name, model in MODELS.items():
        print(f"{name}: {model.path.stat().st_size:,} bytes; first row {expected(name, 1)[0, :4].round(4)}")


if __name__ == "__main__":
    main()
