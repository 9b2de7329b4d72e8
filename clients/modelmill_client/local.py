"""Runs `modelmill up` beside a program, on free ports, for as long as the program needs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from modelmill_client.client import Client
from modelmill_client.errors import LocalCloudFailed

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
TAIL_LINES = 25


@contextmanager
def local_cloud(state: Path) -> Iterator[Client]:
    """Serves until the context is left, and gives a client of it.

    The files `url` and `api_key` of the state folder let others in; what is in the folder outlives the process.

    Raises:
        LocalCloudFailed: it ended, or was not ready within a minute.
    """
    state.mkdir(parents=True, exist_ok=True)
    log = state / "up.log"
    command = [sys.executable, "-m", "modelmill_client", "up", "--port", "0", "--aws-port", "0", "--state", str(state)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELMILL_")}
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches this program, which then stops the other one in order.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, log)
        with Client((state / "url").read_text(), (state / "api_key").read_text()) as client:
            yield client
    finally:
        _stop(process)


def tail(state: Path) -> str:
    """The last lines of the log that was written to last."""
    logs = [path for path in state.rglob("*.log") if path.stat().st_size]
    if not logs:
        return ""
    newest = max(logs, key=lambda path: path.stat().st_mtime)
    lines = newest.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return "\n".join([f"The end of {newest.name}:", *(f"  {line}" for line in lines)])


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while b"ready" not in log.read_bytes():
        if process.poll() is not None:
            raise LocalCloudFailed(f"`modelmill up` ended with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise LocalCloudFailed(f"`modelmill up` was not ready within {READY_SECONDS:.0f} s")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks it to end, and makes it where it does not or where nobody wants to wait."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
