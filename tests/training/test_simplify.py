"""Exported graphs lose what no run needs, and nothing else."""

import numpy as np
import onnx
import onnxruntime
import pytest

from modelmill_training.onnx_graph import FLOAT, GraphBuilder, singles, value_info
from modelmill_training.optimization.simplify import serialized

WIDTH = 40


def roundabout(layers: int) -> onnx.ModelProto:
    """Layers that share weights, and that work out each time how many there are from a constant of that size."""
    builder, value = GraphBuilder(), "x"
    weights = singles(np.random.default_rng(1).normal(0, 0.1, (WIDTH, WIDTH)))
    shared = builder.constant(weights)
    for _ in range(layers):
        size = builder.cast(builder.node("Size", builder.constant(np.zeros_like(weights))), FLOAT)
        shift = builder.node("Reciprocal", size)
        product = builder.node("MatMul", builder.node("Identity", value), shared)
        value = builder.node("Tanh", builder.node("Add", product, shift))
    builder.node("Identity", value, output="value")
    return builder.build([value_info("x", FLOAT, "N", WIDTH)], [value_info("value", FLOAT, "N", WIDTH)])


def run(content: bytes) -> np.ndarray:
    rows = np.random.default_rng(2).normal(size=(7, WIDTH)).astype(np.float32)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["value"], {"x": rows})[0])


def test_what_can_be_worked_out_goes_and_answers_stay() -> None:
    model = roundabout(12)

    content = serialized(model)

    simple = onnx.ModelProto.FromString(content)
    assert len(content) < 0.2 * model.ByteSize()
    assert not {"Size", "Identity"} & {node.op_type for node in simple.graph.node[:-1]}
    assert {node.domain for node in simple.graph.node} == {""}
    assert (simple.opset_import, simple.graph.input, simple.graph.output) == (
        model.opset_import, model.graph.input, model.graph.output
    )  # fmt: skip
    assert np.array_equal(run(content), run(model.SerializeToString()))


def test_a_small_graph_stays_as_it_was_written() -> None:
    model = roundabout(2)

    assert serialized(model) == model.SerializeToString()


def test_what_is_no_model_is_refused() -> None:
    model = roundabout(1)
    model.graph.node[0].op_type = "Nothing"

    with pytest.raises(onnx.checker.ValidationError, match="Nothing"):
        serialized(model)
