"""What a graph says of its classes and categories; the one place that reads a stranger's model with `onnx`.

For the process that tries a model only: https://onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html
"""

from typing import Any

import onnx
from onnx import TensorProto, numpy_helper

ML = "ai.onnx.ml"
IDENTITY_OPSET = 13
MAX_STEPS = 20

_LABELS_OF = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
# What gives the label that its first input says.
_PASSING = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
_CHOOSING = {"ArrayFeatureExtractor", "Gather"}


def read(content: bytes) -> Any:
    """The model; nothing that it refers to is opened."""
    return onnx.ModelProto.FromString(content)


def unzip(model: Any) -> list[str] | None:
    """Let every output that is a list of maps from class to score be the tensor that it is made of.

    The labels of the last of them, None where there are none. The output keeps its name.
    """
    labels = None
    outputs = {output.name: output for output in model.graph.output}
    for node in model.graph.node:
        if (node.domain, node.op_type) == (ML, "ZipMap") and node.output and node.output[0] in outputs:
            labels = _classlabels(node) or []
            _let_pass(node)
            _retype(outputs[node.output[0]], model.graph.input, len(labels))
    if labels is not None and not any(opset.domain in ("", "ai.onnx") for opset in model.opset_import):
        model.opset_import.append(onnx.OperatorSetIdProto(domain="", version=IDENTITY_OPSET))
    return labels


def labels_of(model: Any, output: str) -> list[str] | None:
    """The classes that an output of labels chooses from, in order; None where it cannot be told."""
    makers = {name: node for node in model.graph.node for name in node.output}
    name = output
    for _ in range(MAX_STEPS):
        node = makers.get(name)
        if node is None:
            return None
        labels = _classlabels(node)
        if labels:
            return labels
        if node.op_type in _CHOOSING and node.input:
            return _values(model, makers, node.input[0])
        if node.op_type not in _PASSING or not node.input:
            return None
        name = node.input[0]
    return None


def words_of(model: Any) -> dict[str, dict[int, str]]:
    """A category that is known, by input and column (-1: all), where the graph lists them: others may be refused."""
    makers = {name: node for node in model.graph.node for name in node.output}
    words: dict[str, dict[int, str]] = {}
    for node in model.graph.node:
        known = next((each.strings for each in node.attribute if each.name == "cats_strings"), ())
        if (node.domain, node.op_type) == (ML, "OneHotEncoder") and node.input and known:
            name, column = _source(model, makers, node.input[0])
            words.setdefault(name, {})[column] = known[0].decode(errors="replace")
    return words


def _source(model: Any, makers: dict[str, Any], name: str) -> tuple[str, int]:
    """The input that a tensor is taken from, and its column there, -1 where it is all of it."""
    column = -1
    for _ in range(MAX_STEPS):
        node = makers.get(name)
        if node is None or not node.input or node.op_type not in _PASSING | _CHOOSING:
            break
        if node.op_type in _CHOOSING and len(node.input) > 1:
            places = _values(model, makers, node.input[1]) or []
            column = int(places[0]) if len(places) == 1 and places[0].isdecimal() else column
        name = node.input[0]
    return name, column


def _classlabels(node: Any) -> list[str] | None:
    for attribute in node.attribute:
        if attribute.name in _LABELS_OF and (attribute.strings or attribute.ints):
            return [text.decode(errors="replace") for text in attribute.strings] or [str(n) for n in attribute.ints]
    return None


def _let_pass(node: Any) -> None:
    node.op_type, node.domain = "Identity", ""
    del node.attribute[:]


def _retype(output: Any, inputs: Any, classes: int) -> None:
    """[batch of the first input, classes] of floats, which is all that ZipMap takes."""
    output.type.Clear()
    tensor = output.type.tensor_type
    tensor.elem_type = TensorProto.FLOAT
    batch, width = tensor.shape.dim.add(), tensor.shape.dim.add()
    if inputs and inputs[0].type.tensor_type.shape.dim:
        batch.CopyFrom(inputs[0].type.tensor_type.shape.dim[0])
    if classes:
        width.dim_value = classes


def _values(model: Any, makers: dict[str, Any], name: str) -> list[str] | None:
    tensor = next((each for each in model.graph.initializer if each.name == name), None)
    node = makers.get(name)
    if tensor is None and node is not None and node.op_type == "Constant" and node.attribute:
        tensor = node.attribute[0].t
    if tensor is None or tensor.external_data:
        return None
    try:
        array = numpy_helper.to_array(tensor).ravel()
    except (TypeError, ValueError):
        return None
    if array.dtype.kind in "iu":
        return [str(number) for number in array.tolist()]
    if array.dtype.kind in "OSU":
        return [text.decode(errors="replace") if isinstance(text, bytes) else str(text) for text in array.tolist()]
    return None
