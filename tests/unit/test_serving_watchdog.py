"""A run that does not end is terminated at its deadline."""

import time
from pathlib import Path

from modelmill.serving.load import open_model
from modelmill.serving.predict import predict
from modelmill.serving.watchdog import Watchdog
from tests.bundles import endless, write_bundle
from tests.inference_setup import Plane


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
    model = open_model(manifest, tmp_path)
    watchdog = Watchdog(tick=0.01)

    options = watchdog.watch(time.monotonic() + 0.05)
    watchdog.release()
    time.sleep(0.1)

    assert not options.terminate
    assert predict(model, model.decode([[1.0]]), watchdog, time.monotonic() + 5)[0].shape == (1, 1)
