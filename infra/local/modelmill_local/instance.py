"""One execution environment of a function: a process under AWS's runtime client, and the Runtime API that it calls."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelmill_local.intrinsics import ACCOUNT, REGION
from modelmill_local.wire import Connection, Limits, Request, WireError

# The error text of a failed invocation travels in a header of up to 1 MB.
_LIMITS = Limits(head=1 << 21, body=1 << 27)
_MOST = 6 * 1024 * 1024 + 100
_INIT_SECONDS = 60.0
_API = "/2018-06-01/runtime/"


@dataclass(frozen=True)
class FunctionSpec:
    """What the template says about a function."""

    name: str
    handler: str
    folder: Path
    timeout: float
    memory: int
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What an invocation gave: the function's answer, or Lambda's description of its error."""

    payload: bytes
    failed: bool = False


class Instance:
    """A process that serves one invocation at a time; not for use by two threads at once."""

    def __init__(self, spec: FunctionSpec, log: Path) -> None:
        self._spec = spec
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connection: Connection | None = None
        self._ready = False
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "awslambdaric", spec.handler],
                cwd=spec.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether the process can take another invocation."""
        return self._process.poll() is None

    def warm_up(self) -> Outcome | None:
        """Wait until the function has been imported; an outcome only where that failed."""
        if self._ready:
            return None
        try:
            request = self._read(time.monotonic() + _INIT_SECONDS)
        except TimeoutError:
            return self._give_up(_error("Sandbox.Timedout", f"Init timed out after {_INIT_SECONDS:.2f} seconds"))
        if request is None:
            return self._exited("")
        if request.target == _API + "init/error":
            self._answer(202, [], b'{"status":"OK"}')
            return self._give_up(Outcome(request.body, failed=True))
        self._ready = True
        return None

    def invoke(self, event: bytes, request_id: str) -> Outcome:
        """Hand over one event and wait for the answer, at most the function's time-out."""
        if broken := self.warm_up():
            return broken
        seconds = self._spec.timeout
        self._answer(200, self._invocation_headers(request_id, seconds), event)
        try:
            request = self._read(time.monotonic() + seconds)
        except TimeoutError:
            stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
            text = f"{stamp}Z {request_id} Task timed out after {seconds:.2f} seconds"
            return self._give_up(_error("Sandbox.Timedout", text))
        if request is None:
            return self._exited(request_id)
        self._answer(202, [], b'{"status":"OK"}')
        self._ready = False
        if len(request.body) > _MOST:
            text = f"Response payload size exceeded maximum allowed payload size ({_MOST} bytes)."
            return _error("Function.ResponseSizeTooLarge", text)
        return Outcome(request.body, failed=request.target.endswith("/error"))

    def interrupt(self) -> None:
        """End the process and all that it started, from any thread; an invocation under way fails."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the process; for the thread that uses it, or when none does."""
        self.interrupt()
        if self._connection is not None:
            self._connection.close()
        self._listener.close()

    def _environment(self) -> dict[str, str]:
        spec = self._spec
        port = self._listener.getsockname()[1]
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONUNBUFFERED": "1",
            **spec.environment,
            "_HANDLER": spec.handler,
            "LAMBDA_TASK_ROOT": str(spec.folder),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": spec.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            # Without it the runtime client escapes non-ASCII answers, which Lambda does not.
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def _invocation_headers(self, request_id: str, seconds: float) -> list[tuple[str, str]]:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self._spec.name}"
        return [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", request_id),
            ("Lambda-Runtime-Deadline-Ms", str(int((time.time() + seconds) * 1000))),
            ("Lambda-Runtime-Invoked-Function-Arn", arn),
            ("Lambda-Runtime-Trace-Id", f"Root=1-{int(time.time()):08x}-{request_id.replace('-', '')[:24]};Sampled=0"),
        ]

    def _read(self, deadline: float) -> Request | None:
        """The process's next request; None when it ended instead. Raises: TimeoutError."""
        while True:
            connection = self._connection or self._accept(deadline)
            if connection is None:
                return None
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                request = connection.read()
            except (ConnectionError, WireError):
                request = None
            if request is not None:
                return request
            connection.close()
            self._connection = None

    def _accept(self, deadline: float) -> Connection | None:
        exited = os.pidfd_open(self._process.pid)
        try:
            listener = self._listener.fileno()
            ready, _, _ = select.select([listener, exited], [], [], max(deadline - time.monotonic(), 0))
        finally:
            os.close(exited)
        if listener in ready:
            self._connection = Connection(self._listener.accept()[0], _LIMITS)
            return self._connection
        if not ready:
            raise TimeoutError
        return None

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):  # the next read finds out how the process ended
                self._connection.write(status, headers, body)

    def _exited(self, request_id: str) -> Outcome:
        code = self._process.wait()
        how = f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        prefix = f"RequestId: {request_id} " if request_id else ""
        return self._give_up(_error("Runtime.ExitError", f"{prefix}Error: Runtime exited with error: {how}"))

    def _give_up(self, outcome: Outcome) -> Outcome:
        self.close()
        return outcome


def _error(kind: str, message: str) -> Outcome:
    body: dict[str, Any] = {"errorType": kind, "errorMessage": message}
    return Outcome(json.dumps(body).encode(), failed=True)
