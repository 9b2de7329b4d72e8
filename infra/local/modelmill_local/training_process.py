"""The process of one training job: started, read from, stopped, outlived by nothing."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, cast

Lines = Callable[[list[tuple[int, str]]], None]

_TICK_SECONDS = 0.2
_LONGEST_LINE = 200_000
_GUARD = str(Path(__file__).with_name("guard.py"))


class TrainingProcess:
    """A command in a process group of its own."""

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", _GUARD, *command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._kill_at: float | None = None
        self._partial = b""

    def follow(self, on_lines: Lines, on_tick: Callable[[], None]) -> int:
        """Pass on what it prints until it ends; its exit code as a container's."""
        output = cast(IO[bytes], self._process.stdout)
        waiting: list[tuple[int, str]] = []
        flushed = time.monotonic()
        while self._process.poll() is None:
            if select.select([output], [], [], _TICK_SECONDS)[0]:
                waiting += self._read(output)
            if waiting and time.monotonic() - flushed >= _TICK_SECONDS:
                on_lines(waiting)
                waiting, flushed = [], time.monotonic()
            on_tick()
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self.kill()
        self.kill()
        waiting += self._rest(output)
        if waiting:
            on_lines(waiting)
        code = self._process.returncode
        return 128 - code if code < 0 else code

    def terminate(self, grace: float) -> None:
        """Ask it to end; after `grace` seconds it is killed."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + grace
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End all of the group at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _read(self, output: IO[bytes]) -> list[tuple[int, str]]:
        piece = os.read(output.fileno(), 65_536)
        if not piece:
            time.sleep(_TICK_SECONDS)  # it closed its output and still runs
        *lines, self._partial = (self._partial + piece).split(b"\n")
        if len(self._partial) > _LONGEST_LINE:
            lines.append(self._partial)
            self._partial = b""
        return _stamped(lines)

    def _rest(self, output: IO[bytes]) -> list[tuple[int, str]]:
        """What is left in the pipe; the group is dead, so this ends."""
        lines = []
        while select.select([output], [], [], 0)[0] and (piece := os.read(output.fileno(), 65_536)):
            self._partial += piece
        lines = self._partial.split(b"\n")
        output.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        return _stamped(lines)


def _stamped(lines: list[bytes]) -> list[tuple[int, str]]:
    now = int(time.time() * 1000)
    texts = (line.decode("utf-8", "replace").rstrip("\r") for line in lines)
    return [(now, text) for text in texts if text]
