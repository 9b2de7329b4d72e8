"""Smaller forms of graphs: what they give, when they are kept, and what is told of them."""

from itertools import pairwise
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from modelmill_training import parity
from modelmill_training.exam import Exam
from modelmill_training.onnx_graph import FLOAT, GraphBuilder, singles, value_info
from modelmill_training.optimization.quantize import metric_loss, quantize, quantized
from modelmill_training.outcome import Outcome
from modelmill_training.progress import Progress

WIDTH = 520
ROWS = 40


def net(*weights: NDArray[Any], kind: str = "MatMul") -> bytes:
    """Dense layers with relu between them, as Keras exports them (MatMul) or as others write them (Gemm)."""
    builder, value = GraphBuilder(), "x"
    for number, each in enumerate(weights):
        value = builder.node("Relu", value) if number else value
        bias = builder.constant(singles(np.linspace(-1, 1, each.shape[1])))
        if kind == "Gemm":
            value = builder.node("Gemm", value, builder.constant(singles(each.T)), bias, transB=1)
        else:
            value = builder.node("Add", builder.node("MatMul", value, builder.constant(singles(each))), bias)
    builder.node("Identity", value, output="value")
    inputs, outputs = (value_info(name, FLOAT, "N", size) for name, size in (("x", len(weights[0])), ("value", 1)))
    model = builder.build([inputs], [outputs])
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def layers(*sizes: int) -> list[NDArray[Any]]:
    random = np.random.default_rng(1)
    return [random.normal(0, 1 / np.sqrt(a), (a, b)) for a, b in pairwise(sizes)]


def run(graph: bytes, rows: NDArray[Any]) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["value"], {"x": rows.astype(np.float32)})[0])


def operators(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.ModelProto.FromString(graph).graph.node]


@pytest.mark.parametrize("kind", ["MatMul", "Gemm"])
def test_large_layers_compute_in_integers_and_no_row_depends_on_those_beside_it(kind: str) -> None:
    graph = net(*layers(30, WIDTH, WIDTH, 1), kind=kind)
    rows = np.random.default_rng(2).normal(size=(ROWS, 30))

    small = quantize(graph, "int8")

    expected, found = run(graph, rows), run(small, rows)
    assert len(small) < 0.3 * len(graph)
    assert operators(small).count("MatMulInteger") == 1
    assert np.abs(found - expected).max() < 0.05 * expected.std()
    beside = np.concatenate([rows[:1], 1e6 * rows[1:]])
    assert run(small, rows[:1]) == pytest.approx(found[:1], abs=1e-6)
    assert run(small, beside)[:1] == pytest.approx(found[:1], abs=1e-6)
    assert run(small, np.zeros((1, 30))) == pytest.approx(run(graph, np.zeros((1, 30))), abs=0.05)


@pytest.mark.parametrize(("form", "share", "error"), [("int8", 0.31, 0.05), ("float16", 0.55, 0.002)])
def test_other_weights_take_fewer_bytes_whatever_their_shape(form: str, share: float, error: float) -> None:
    # 31 * 217 weights are not a whole number of blocks
    graph = net(*layers(31, 217, 90, 1))
    rows = np.random.default_rng(2).normal(size=(ROWS, 31))

    small = quantize(graph, form)

    expected = run(graph, rows)
    assert len(small) < share * len(graph)
    assert set(operators(small)) <= {*operators(graph), "Cast", "Mul", "Reshape", "Slice"}
    assert np.abs(run(small, rows) - expected).max() < error * expected.std()


def test_weights_of_a_node_within_a_node_and_of_two_layers_stay_usable() -> None:
    weights = singles(layers(WIDTH, WIDTH)[0])
    builder, body = GraphBuilder(), GraphBuilder("body_")
    shared = builder.constant(weights)
    once = builder.node("MatMul", "x", shared)
    twice = builder.node("MatMul", once, shared)
    product = body.node("MatMul", "body_row", shared)
    scanned = body.subgraph([value_info("body_row", FLOAT, WIDTH)], [value_info(product, FLOAT, WIDTH)])
    summed = builder.node("ReduceSum", builder.node("Scan", twice, body=scanned, num_scan_inputs=1),
                          builder.constant(np.array([1])), keepdims=1)  # fmt: skip
    builder.node("Identity", summed, output="value")
    model = builder.build([value_info("x", FLOAT, "N", WIDTH)], [value_info("value", FLOAT, "N", 1)])
    graph, rows = bytes(model.SerializeToString()), np.random.default_rng(2).normal(size=(3, WIDTH))

    small = quantize(graph, "int8")

    assert operators(small).count("MatMulInteger") == 2
    assert run(small, rows) == pytest.approx(run(graph, rows), rel=0.05, abs=0.5)


def test_a_value_that_float16_has_not_keeps_its_tensor() -> None:
    (weights,) = layers(2000, 1)
    weights[0] = 1e6
    graph = net(weights)

    assert quantize(graph, "float16") == graph


def exam_of(graph: bytes, rows: NDArray[Any]) -> Exam:
    """In which the graph's own answers are the truth."""
    truth = run(graph, rows).astype(np.float64)
    feed = {"x": rows.astype(np.float32)}

    def r2(outputs: dict[str, NDArray[Any]]) -> float:
        return float(1 - np.mean((outputs["value"] - truth) ** 2) / truth.var())

    return Exam(
        feeds=lambda: [feed],
        compare=lambda outputs, bound: parity.compare_values(truth, outputs, float(truth.std()), bound),
        reference=feed,
        metric="r2",
        score=r2,
    )


def outcome_of(graph: bytes, rows: NDArray[Any]) -> Outcome:
    nobody: Any = None
    places = np.arange(len(rows))
    return Outcome(
        algorithm="mlp",
        hyperparameters={},
        graph=graph,
        exam=exam_of(graph, rows),
        signature=nobody,
        labels=None,
        metrics={},
        parity={"passed": True, "tolerance": 1e-4},
        placement={"model_bytes": len(graph), "latency_us": 1.0, "memory_bytes": 1},
        reference={"rows": [], "scores": []},
        report={},
        libraries=(),
        split=nobody,
        present_rows=places,
        left_out={},
    )


def rows_of(outcome: Outcome) -> NDArray[Any]:
    return np.asarray(outcome.exam.reference["x"])


def ask(outcome: Outcome, loss: float) -> Outcome:
    return quantized(outcome, {"quantize": "int8", "max_metric_loss": loss}, Progress())


def test_a_metric_that_falls_more_than_is_allowed_keeps_the_graph() -> None:
    outcome = outcome_of(net(*layers(31, 217, 1)), np.random.default_rng(2).normal(size=(ROWS, 31)))

    refused, kept = ask(outcome, 0.0), ask(outcome, 0.01)

    assert (refused.graph, refused.parity, refused.reference) == (outcome.graph, outcome.parity, outcome.reference)
    told = refused.optimization or {}
    assert (told["kept"], told["before"]["metric"]) == (False, 1.0)
    assert 0 < told["metric_loss"] < 0.01
    assert told["reason"].startswith("r2 on held-out rows goes from 1 to 0.99")
    assert refused.report == {"optimization": told}
    assert (kept.optimization or {})["kept"]
    assert len(kept.graph) == kept.placement["model_bytes"] < len(outcome.graph)
    assert kept.parity["tolerance"] == 0.05
    assert np.ravel(kept.reference["scores"]) == pytest.approx(np.ravel(run(kept.graph, rows_of(outcome))))


def test_answers_that_differ_keep_the_graph_whatever_the_metric_may_lose() -> None:
    # given units of huge weights that nothing reads, beside which the others round to nothing
    (first, last), rows = layers(31, 217, 1), np.random.default_rng(2).normal(size=(ROWS, 31))
    first[:, ::60], last[::60] = 1e4, 0.0
    outcome = outcome_of(net(first, last), rows)

    refused = ask(outcome, 1.0)

    told = refused.optimization or {}
    assert refused.graph == outcome.graph
    assert not told["kept"]
    assert not told["parity"]["passed"]
    assert "held-out rows are within 0.05 of the trained model's answers, expected 99%" in told["reason"]


def test_an_error_is_lost_as_a_share_of_itself() -> None:
    assert metric_loss(0.9, 0.85, more_is_better=True) == pytest.approx(0.05)
    assert metric_loss(2.0, 2.1, more_is_better=False) == pytest.approx(0.05)
    assert metric_loss(2.0, 1.9, more_is_better=False) == pytest.approx(-0.05)
    assert metric_loss(0.0, 0.0, more_is_better=False) == 0
    assert metric_loss(None, 0.9, more_is_better=True) is None
