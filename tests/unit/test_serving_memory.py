"""One run's hunger for memory fails that run and nothing else."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from modelmill.errors import InvalidRequest
from modelmill.models.signature import Signature, Tensor
from modelmill.serving.load import open_model
from modelmill.serving.memory import bound_run_memory
from modelmill.serving.predict import predict
from modelmill.serving.watchdog import Watchdog
from tests.bundles import model_of, value_of, write_bundle, write_tensor_bundle

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


def test_what_a_neighbour_ran_before_changes_nothing(tmp_path: Path):
    bound_run_memory(GIGABYTE)
    manifest = write_bundle(tmp_path, [("x", "number")], model=hungry().SerializeToString())
    model, watchdog = open_model(manifest, tmp_path), Watchdog()

    for zeros in (60_000_000, 80_000_000, 100_000_000, 200_000_000):  # four bytes each: together more than there is
        numbers = {"numeric": np.array([[float(zeros)]])}
        assert predict(model, numbers, watchdog, time.monotonic() + 20)[0][0, 0] == 0


REPEAT = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
import numpy as np, time
from pathlib import Path
from modelmill.errors import InvalidRequest
from modelmill.models.manifest import Manifest
from modelmill.serving.load import open_model
from modelmill.serving.memory import bound_process_memory, bound_run_memory
from modelmill.serving.predict import predict
from modelmill.serving.watchdog import Watchdog

bound_run_memory(200_000_000)
bound_process_memory(800_000_000)
folder = Path(sys.argv[2])
model = open_model(Manifest.from_json((folder / "manifest.json").read_bytes()), folder)

def repeat(times):
    tensors = {"text": np.array(["a" * 1_000_000], object), "times": np.array([times])}
    return predict(model, tensors, Watchdog(), time.monotonic() + 20)[0].shape[0]

told = [repeat(3)]
try:
    repeat(5_000)
except InvalidRequest as error:
    told.append(error.code)
told.append(repeat(3))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
told.append(int(peak.split()[1]) * 1024 < 1_500_000_000)
print(json.dumps(told))
"""


def test_texts_are_bounded_too(tmp_path: Path):
    tensor = Tensor("text", "BYTES", [1]), Tensor("times", "INT64", [1])
    node = helper.make_node("Expand", ["text", "times"], ["texts"])
    output = Tensor("texts", "BYTES", [-1])
    model = model_of([node], [value_of(each) for each in tensor], [value_of(output)])
    write_tensor_bundle(tmp_path, model, Signature("tensor", list(tensor), [output], []))

    command = [sys.executable, "-c", REPEAT, json.dumps(sys.path), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [3, "model_failed", 3, True]
