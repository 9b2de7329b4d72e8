"""`make demo`'s program: it shows everything, and leaves nothing running, whatever happens."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, str(ROOT / "examples" / "demo.py"), "--algorithm"]

pytestmark = pytest.mark.timeout(240)


def _left_running(folder: Path) -> list[str]:
    """Processes whose command or output names the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            signs = [(process / "cmdline").read_text(), str((process / "fd" / "1").readlink())]
        except OSError:
            continue
        found += [signs[0]] if any(str(folder) in sign for sign in signs) else []
    return found


def _start(algorithm: str, folder: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "TMPDIR": str(folder), "MODELMILL_URL": "http://127.0.0.1:9", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [*DEMO, algorithm], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


@pytest.fixture(autouse=True)
def _interruptible() -> None:
    """A shell ignores interrupts for what it runs in the background, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_the_demo_shows_everything_and_cleans_up(tmp_path: Path) -> None:
    with _start("linear", tmp_path) as demo:
        output, _ = demo.communicate(timeout=200)

    assert demo.returncode == 0, output
    for expected in (
        "mean radius",
        "held out",
        "ONNX parity    passed",
        "breast-cancer version 1, serving as live",
        "truth",
        "cold",
        "warm",
        "make up",
    ):
        assert expected in output
    assert _left_running(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_failure_tells_its_reason_and_cleans_up(tmp_path: Path) -> None:
    with _start("astrology", tmp_path) as demo:
        output, _ = demo.communicate(timeout=200)

    assert demo.returncode == 1
    assert "astrology" in output.split("The demo failed:")[1]
    assert _left_running(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_stops_all_of_it(tmp_path: Path) -> None:
    with _start("linear", tmp_path) as demo:
        assert demo.stdout is not None
        while "API at" not in (line := demo.stdout.readline()):
            assert line
        demo.send_signal(signal.SIGINT)
        output = demo.stdout.read()

    assert demo.returncode == 130
    assert "has been stopped" in output
    assert _left_running(tmp_path) == []
