"""Exported graphs lose what no run needs, and nothing else."""

import numpy as np
import onnx
import onnxruntime
import pytest

from modelmill_training.onnx_graph import FLOAT, GraphBuilder, singles, value_info
from modelmill_training.optimization.simplify import serialized

WIDTH = 40


def repetitive(layers: int) -> onnx.ModelProto:
    """Layers that share weights, each with a copy of its own, and that add what a node has to work out each time."""
    builder, value = GraphBuilder(), "x"
    weights = singles(np.random.default_rng(1).normal(0, 0.1, (WIDTH, WIDTH)))
    for _ in range(layers):
        shift = builder.node("Exp", builder.constant(singles(-1)))
        product = builder.node("MatMul", builder.node("Identity", value), builder.constant(weights))
        value = builder.node("Tanh", builder.node("Add", product, shift))
    builder.node("Identity", value, output="value")
    return builder.build([value_info("x", FLOAT, "N", WIDTH)], [value_info("value", FLOAT, "N", WIDTH)])


def run(content: bytes) -> np.ndarray:
    rows = np.random.default_rng(2).normal(size=(7, WIDTH)).astype(np.float32)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["value"], {"x": rows})[0])


def test_copies_and_what_can_be_worked_out_go_and_answers_stay() -> None:
    model = repetitive(12)

    content = serialized(model)

    simple = onnx.ModelProto.FromString(content)
    assert len(content) < 0.2 * model.ByteSize()
    assert not {"Exp", "Identity"} & {node.op_type for node in simple.graph.node[:-1]}
    assert {node.domain for node in simple.graph.node} == {""}
    assert (simple.opset_import, simple.graph.input, simple.graph.output) == (
        model.opset_import, model.graph.input, model.graph.output
    )  # fmt: skip
    assert np.array_equal(run(content), run(model.SerializeToString()))


def test_a_small_graph_stays_as_it_was_written() -> None:
    model = repetitive(2)

    assert serialized(model) == model.SerializeToString()


def test_what_is_no_model_is_refused() -> None:
    model = repetitive(1)
    model.graph.node[0].op_type = "Nothing"

    with pytest.raises(onnx.checker.ValidationError, match="Nothing"):
        serialized(model)
