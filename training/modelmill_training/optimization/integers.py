"""Large dense layers in integer arithmetic: weights as bytes, and inputs as bytes by a scale that each run finds.

Each row of the inputs has a scale of its own, so that an answer does not depend on the rows beside it, which
onnxruntime's own dynamic quantization does not give: it takes one scale for the whole batch. All bytes are unsigned,
since processors without VNNI instructions saturate where signed weights meet unsigned inputs.
"""

from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from modelmill_training.onnx_graph import FLOAT, GraphBuilder, singles
from modelmill_training.optimization.weights import LARGEST_BYTE, scales

# With fewer weights floats are as fast, since their products cost less than the bytes of the inputs.
MIN_VALUES = 512 * 512
# More products could exceed the 32 bits that they are summed in.
MAX_ROWS = 2**31 // 255**2
ZERO = 128


class Layer(NamedTuple):
    """A product of inputs with constant weights [inputs, outputs]; `bias` is "" where there is none."""

    inputs: str
    weights: NDArray[Any]
    bias: str
    output: str


def dense_layers(model: onnx.ModelProto) -> int:
    """Bring the model's large products with constants into integer arithmetic; how many there were."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    builder, count = GraphBuilder("integers/"), 0
    for node in list(model.graph.node):
        layer = _layer(node, constants) if node.op_type in ("MatMul", "Gemm") else None
        if layer is None:
            builder.append(node)
        else:
            _write(builder, layer)
            count += 1
    builder.rewrite(model.graph)
    return count


def _layer(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> Layer | None:
    tensor = constants.get(node.input[1])
    if tensor is None or tensor.data_type != FLOAT or len(tensor.dims) != 2:
        return None
    given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if given.get("transA", 0) or given.get("alpha", 1.0) != 1.0 or given.get("beta", 1.0) != 1.0:
        return None
    weights = numpy_helper.to_array(tensor)
    weights = weights.T if given.get("transB", 0) else weights
    if weights.size < MIN_VALUES or len(weights) > MAX_ROWS:
        return None
    return Layer(node.input[0], weights, node.input[2] if len(node.input) > 2 else "", node.output[0])


def _write(builder: GraphBuilder, layer: Layer) -> None:
    scale = scales(layer.weights, 0)
    weights = builder.constant((np.round(layer.weights / scale) + ZERO).astype(np.uint8))
    zero = builder.constant(np.array(ZERO, np.uint8))
    # Of each row the largest value, which its largest byte stands for.
    largest = builder.node("ReduceMax", builder.node("Abs", layer.inputs), builder.constant(np.array([-1])), keepdims=1)
    largest = builder.node("Max", largest, builder.constant(singles(np.finfo(np.float32).tiny)))
    unit = builder.constant(singles(1 / LARGEST_BYTE))
    rows = builder.node("QuantizeLinear", builder.node("Div", layer.inputs, largest), unit, zero)
    sums = builder.cast(builder.node("MatMulInteger", rows, weights, zero, zero), FLOAT)
    product, factor = builder.node("Mul", sums, largest), builder.constant(scale / LARGEST_BYTE)
    if layer.bias:
        builder.node("Add", builder.node("Mul", product, factor), layer.bias, output=layer.output)
    else:
        builder.node("Mul", product, factor, output=layer.output)
