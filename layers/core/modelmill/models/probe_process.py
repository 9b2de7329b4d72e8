"""Runs `modelmill.serving.probe` in a process that can be killed, with nothing in reach but the bundle."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from modelmill.models.rejection import BundleRejected

PROGRAM = "modelmill.serving.probe"
# All that a finding may be; see `serving.probe`.
CODES = frozenset({"unsupported_onnx", "signature_unsupported", "probe_failed", "probe_timeout"})
MAX_FINDING_BYTES = 4 * 1024 * 1024
MAX_MESSAGE = 600

_ENDED_AND_LEFT = os.WEXITED | os.WNOWAIT | os.WNOHANG

type Finding = dict[str, Any]
# What is written for serving: nothing, one file, or graph and weights apart.
type Form = Literal["none", "whole", "split"]


@dataclass(frozen=True, slots=True)
class ProbeLimits:
    """Processor and wall-clock seconds, bytes of address space, and bytes of a file that it writes."""

    seconds: int = 60
    memory_bytes: int = 2560 * 1024 * 1024
    file_bytes: int = 300 * 1024 * 1024


LIMITS = ProbeLimits()


def probe(folder: Path, form: Form, limits: ProbeLimits = LIMITS) -> Finding:
    """Load and run the folder's model, in a process that may die of it, and write its serving form.

    What comes back was told by a process that ran a stranger's model, and so were the files that it left.

    Raises:
        BundleRejected: `probe_timeout`, `probe_failed`, or what the program found.
    """
    arguments = [str(folder), form, str(limits.memory_bytes), str(limits.seconds), str(limits.file_bytes)]
    process = subprocess.Popen(
        [sys.executable, "-m", PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=_environment(),
        cwd="/",
        start_new_session=True,
    )
    try:
        output = _output(process, time.monotonic() + limits.seconds)
    finally:
        _end(process)
    return _judge(process.returncode, output)


def _environment() -> dict[str, str]:
    """Where Python and its libraries are, and none of the credentials that a function has."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PATH") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _output(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """What the process says until it ends; it is ended at the deadline."""
    assert process.stdout is not None  # noqa: S101 it was asked for
    output = b""
    while len(output) <= MAX_FINDING_BYTES:
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not select.select([process.stdout], [], [], remaining)[0]:
            raise BundleRejected("probe_timeout", "the model did not load and run in the time that it gets")
        piece = os.read(process.stdout.fileno(), 65536)
        if not piece:
            break
        output += piece
    # Left unreaped, so that its number stays its own until the whole group is gone.
    while time.monotonic() < deadline and not os.waitid(os.P_PID, process.pid, _ENDED_AND_LEFT):
        time.sleep(0.005)
    return output


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        # Its children too, which outlive it where it left any.
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _judge(status: int, output: bytes) -> Finding:
    if status == -signal.SIGXCPU:
        raise BundleRejected("probe_timeout", "the model did not load and run within its processor time")
    try:
        finding = json.loads(output) if status == 0 and len(output) <= MAX_FINDING_BYTES else None
    except (ValueError, RecursionError):
        finding = None
    if not isinstance(finding, dict):
        message = "the process that tried the model ended before it was done; it may need too much memory"
        raise BundleRejected("probe_failed", message)
    if "code" in finding:
        code, message = finding["code"], str(finding.get("message", ""))
        printable = "".join(letter if letter.isprintable() else " " for letter in message[:MAX_MESSAGE])
        raise BundleRejected(code if code in CODES else "probe_failed", printable)
    return finding
