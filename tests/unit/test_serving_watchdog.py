"""A run that does not end is terminated at its deadline."""

import time
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from modelmill.models.manifest import MODEL_FILE
from modelmill.serving.load import open_model
from modelmill.serving.predict import predict
from modelmill.serving.watchdog import Watchdog
from tests.bundles import model_of, write_bundle
from tests.inference_setup import Plane


def endless() -> bytes:
    """A loop whose condition stays true."""
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
        helper.make_node("Cast", ["end"], ["value"], to=TensorProto.FLOAT),
    ]
    true = onnx.numpy_helper.from_array(onnx.numpy_helper.np.array(True), "true")
    inputs = [value("numeric", TensorProto.DOUBLE, ["N", 1])]
    outputs = [value("value", TensorProto.FLOAT, ["N", 1])]
    return bytes(model_of(nodes, inputs, outputs, [true]).SerializeToString())


def test_an_endless_run_is_a_503_and_the_next_request_is_answered(tmp_path: Path):
    plane = Plane()
    columns = [("x", "number")]
    write_bundle(tmp_path / "bomb", columns, model=endless())
    write_bundle(tmp_path / "good", columns)
    plane.store.put("acme", "bomb", 1, tmp_path / "bomb")
    plane.store.put("acme", "good", 1, tmp_path / "good")
    plane.seconds = 0.3

    started = time.monotonic()
    status, problem = plane.post({"instances": [[1.0]]}, model="bomb")

    assert (status, problem["code"]) == (503, "deadline_exceeded")
    assert time.monotonic() - started < 3
    assert plane.post({"instances": [[1.0]]}, model="good")[0] == 200


def test_a_run_within_its_deadline_is_left_alone(tmp_path: Path):
    manifest = write_bundle(tmp_path, [("x", "number")])
    model = open_model(manifest, tmp_path / MODEL_FILE)
    watchdog = Watchdog(tick=0.01)

    options = watchdog.watch(time.monotonic() + 0.05)
    watchdog.release()
    time.sleep(0.1)

    assert not options.terminate
    assert predict(model, model.decode([[1.0]]), watchdog, time.monotonic() + 5)[0].shape == (1, 1)
