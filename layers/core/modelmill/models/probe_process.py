"""Runs `modelmill.serving.probe` in a process that can be killed, with nothing in reach but the bundle."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from modelmill.models.rejection import BundleRejected

PROGRAM = "modelmill.serving.probe"


@dataclass(frozen=True, slots=True)
class ProbeLimits:
    """Processor and wall-clock seconds, and bytes of address space."""

    seconds: int = 60
    memory_bytes: int = 2560 * 1024 * 1024


LIMITS = ProbeLimits()


def probe(folder: Path, limits: ProbeLimits = LIMITS) -> None:
    """Load the bundle's model and compare it with its reference rows, in a process that may die of it.

    Raises:
        BundleRejected: `probe_timeout`, `probe_failed`, or what the program found.
    """
    command = [sys.executable, "-m", PROGRAM, str(folder), str(limits.memory_bytes), str(limits.seconds)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=_environment(),
        cwd="/",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limits.seconds)
    except subprocess.TimeoutExpired as error:
        raise BundleRejected("probe_timeout", f"the model did not load and run within {limits.seconds} s") from error
    finally:
        _end(process)
    _judge(process.returncode, output)


def _environment() -> dict[str, str]:
    """Where Python and its libraries are, and none of the credentials that a function has."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PATH") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _judge(status: int, output: bytes) -> None:
    if status == -signal.SIGXCPU:
        raise BundleRejected("probe_timeout", "the model did not load and run within its processor time")
    try:
        finding = json.loads(output) if status == 0 else None
    except ValueError:
        finding = None
    if not isinstance(finding, dict):
        raise BundleRejected("probe_failed", "the process that tried the model ended before it was done")
    if "code" in finding:
        raise BundleRejected(str(finding["code"]), str(finding["message"]))
