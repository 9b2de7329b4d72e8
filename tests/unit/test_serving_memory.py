"""One run's hunger for memory fails that run and nothing else."""

import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from modelmill.errors import InvalidRequest
from modelmill.serving.load import open_model
from modelmill.serving.memory import bound_run_memory
from modelmill.serving.predict import predict
from modelmill.serving.watchdog import Watchdog
from tests.bundles import model_of, write_bundle

GIGABYTE = 1 << 30


def hungry() -> onnx.ModelProto:
    """A sum of as many zeros as the input says."""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Cast", ["numeric"], ["size"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["size", "flat"], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
        helper.make_node("Reshape", ["sum", "column"], ["column_sum"]),
        helper.make_node("Cast", ["column_sum"], ["value"], to=TensorProto.DOUBLE),
    ]
    constants = [
        helper.make_tensor("flat", TensorProto.INT64, [1], [-1]),
        helper.make_tensor("column", TensorProto.INT64, [2], [1, 1]),
    ]
    inputs = [value("numeric", TensorProto.DOUBLE, ["N", 1])]
    return model_of(nodes, inputs, [value("value", TensorProto.DOUBLE, ["N", 1])], constants)


def test_a_run_that_asks_for_too_much_fails_alone(tmp_path: Path):
    bound_run_memory(GIGABYTE)
    manifest = write_bundle(tmp_path, [("x", "number")], model=hungry().SerializeToString())
    model = open_model(manifest, tmp_path)
    watchdog = Watchdog()

    def run(zeros: float) -> float:
        numbers = {"numeric": np.array([[float(zeros)]])}
        return float(predict(model, numbers, watchdog, time.monotonic() + 20)[0][0, 0])

    assert run(1000) == 0
    for _ in range(3):
        with pytest.raises(InvalidRequest, match="memory"):
            run(GIGABYTE)  # four bytes each
    assert run(1000) == 0
