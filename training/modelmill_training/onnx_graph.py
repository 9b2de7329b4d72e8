"""Writing ONNX graphs node by node."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
ML_OPSET = 3
ML_DOMAIN = "ai.onnx.ml"
IR_VERSION = 8


class GraphBuilder:
    """Collects nodes and constants; each method that adds some returns the name of the result."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: str, output: str | None = None, domain: str = "", **attributes: Any) -> str:
        """Append a node."""
        name = output or f"{self._prefix}{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], domain=domain, **attributes))
        return name

    def nodes(self, kind: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """Append a node of several outputs; their names."""
        names = [f"{self._prefix}{kind}_{len(self._nodes)}_{place}" for place in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def constant(self, array: NDArray[Any]) -> str:
        """Append a constant; strings are arrays of objects."""
        name = f"{self._prefix}constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def cast(self, value: str, dtype: int) -> str:
        """Append a cast to a TensorProto type."""
        return self.node("Cast", value, to=dtype)

    def embed(self, model: onnx.ModelProto, value: str) -> str:
        """Append a whole model of one input and one output of this builder's opset."""
        versions = {opset.domain: opset.version for opset in model.opset_import}
        if versions.get("", OPSET) != OPSET:
            model = onnx.version_converter.convert_version(model, OPSET)
        graph = onnx.compose.add_prefix(model, f"model_{len(self._nodes)}/").graph
        if len(graph.input) != 1 or len(graph.output) != 1:
            raise ValueError(f"got {len(graph.input)} inputs and {len(graph.output)} outputs, expected one of each")
        for node in graph.node:
            node.input[:] = [value if name == graph.input[0].name else name for name in node.input]
        self._nodes.extend(graph.node)
        self._constants.extend(graph.initializer)
        return str(graph.output[0].name)

    def append(self, node: onnx.NodeProto) -> None:
        """Append a node of another graph as it is."""
        self._nodes.append(node)

    def rewrite(self, graph: onnx.GraphProto) -> None:
        """Put the nodes in the place of a graph's own; its constants stay as far as they are used."""
        del graph.node[:]
        graph.node.extend(self._nodes)
        used = set(_names_read(graph))
        kept = [tensor for tensor in graph.initializer if tensor.name in used]
        del graph.initializer[:]
        graph.initializer.extend([*kept, *self._constants])

    def subgraph(self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> onnx.GraphProto:
        """The nodes as the body of a node of another builder, whose names it may use; it needs a prefix of its own."""
        return helper.make_graph(self._nodes, f"{self._prefix}body", inputs, outputs, self._constants)

    def build(self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """The graph of all nodes."""
        graph = helper.make_graph(self._nodes, "modelmill", inputs, outputs, self._constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="modelmill")


def _names_read(graph: onnx.GraphProto) -> Iterator[str]:
    """By nodes, those within other nodes included."""
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _names_read(attribute.g)


def doubles(array: Any) -> NDArray[np.float64]:
    """As the double precision constants of a graph."""
    return np.asarray(array, dtype=np.float64)


def singles(array: Any) -> NDArray[np.float32]:
    """As the single precision constants of a graph."""
    return np.asarray(array, dtype=np.float32)


def value_info(name: str, dtype: int, *shape: int | str) -> onnx.ValueInfoProto:
    """An input or output; a name in the shape is a variable dimension."""
    return helper.make_tensor_value_info(name, dtype, list(shape))


def write_classes(builder: GraphBuilder, probabilities: str, labels: list[str]) -> list[onnx.ValueInfoProto]:
    """The outputs of a classifier from its probabilities [N, classes]: see `models.signature.class_outputs`."""
    best = builder.node("ArgMax", probabilities, axis=1, keepdims=0)
    builder.node("Gather", builder.constant(np.array(labels, dtype=object)), best, output="label", axis=0)
    builder.node("Identity", probabilities, output="probabilities")
    return [value_info("label", STRING, "N"), value_info("probabilities", FLOAT, "N", len(labels))]


FLOAT, DOUBLE, STRING = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.STRING
UINT8, INT32, INT64, BOOL = TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL
