"""Runs `modelmill up` beside a program, on free ports, for as long as the program needs it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from modelmill_client.client import Client
from modelmill_client.errors import LocalCloudFailed

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
TAIL_LINES = 25


class LocalCloud:
    """A `modelmill up` of this program's own; what is in its state folder outlives it, so that it can be started again.

    Example:
        with LocalCloud(Path("state")) as cloud:
            cloud.client.datasets.upload("cells.csv", target="diagnosis", wait=True)
    """

    client: Client
    process: subprocess.Popen[bytes]

    def __init__(self, state: Path) -> None:
        self.state = state
        self.log = state / "up.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Returns once it serves.

        Raises:
            LocalCloudFailed: it ended, or was not ready within a minute.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        self.process = self._spawn()
        try:
            self._wait_until_ready()
        except BaseException:
            self._end()
            raise
        self.client = Client((self.state / "url").read_text(), (self.state / "api_key").read_text())

    def stop(self) -> None:
        """Returns once it has ended, with all that it started."""
        self.client.close()
        self._end()

    def tail(self) -> str:
        """The last lines of the log that was written to last."""
        logs = [path for path in self.state.rglob("*.log") if path.stat().st_size]
        if not logs:
            return ""
        newest = max(logs, key=lambda path: path.stat().st_mtime)
        lines = newest.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"The end of {newest.name}:", *(f"  {line}" for line in lines)])

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "modelmill_client", "up", "--port", "0", "--aws-port", "0"]
        with self.log.open("wb") as output:
            return subprocess.Popen(
                [*command, "--state", str(self.state)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={name: value for name, value in os.environ.items() if not name.startswith("MODELMILL_")},
                # A session of its own: Ctrl-C reaches this program, which then stops the other one in order.
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while b"is ready" not in self.log.read_bytes():
            if self.process.poll() is not None:
                raise LocalCloudFailed(f"`modelmill up` ended with exit code {self.process.returncode}")
            if time.monotonic() > deadline:
                raise LocalCloudFailed(f"`modelmill up` was not ready within {READY_SECONDS:.0f} s")
            time.sleep(0.05)

    def _end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
