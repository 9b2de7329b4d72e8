"""The local AWS as a child process, and clients of it."""

import http.client
import json
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from modelmill_local.intrinsics import ACCESS_KEY, REGION, SECRET_KEY
from modelmill_local.workspace import StartError, Workspace

CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
_STOP_SECONDS = 10.0


class AwsProcess:
    """Started on a socket that already listens, so that early calls wait instead of failing."""

    def __init__(self, listener: socket.socket, host: str, workspace: Workspace) -> None:
        self.host = host
        self.port = int(listener.getsockname()[1])
        self.endpoint = f"http://{host}:{self.port}"
        command = [sys.executable, "-m", "modelmill_local.aws_server", "--fd", str(listener.fileno())]
        command += ["--state", str(workspace.state), "--logs", str(workspace.logs), "--endpoint", self.endpoint]
        log = (workspace.logs / "aws.log").open("ab")
        try:
            with log:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=[listener.fileno()],
                    start_new_session=True,
                )
        except OSError as error:
            raise StartError(f"the Python interpreter {sys.executable} cannot be started: {error.strerror}") from error
        finally:
            listener.close()

    @property
    def alive(self) -> bool:
        """Whether it still serves."""
        return self.process.poll() is None

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS, made once."""
        return _client(service, self.endpoint)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the local AWS's own control. Raises: OSError, ValueError."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, f"/_local/{path}", json.dumps(body or {}))
            response = connection.getresponse()
            if response.status != 200:
                raise ValueError(f"{path}: {response.status} {response.read().decode('utf-8', 'replace')}")
            return json.loads(response.read())
        finally:
            connection.close()

    def stop(self) -> None:
        """End it: its jobs are killed, its state is on disk."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@cache
def _client(service: str, endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(
            signature_version="s3v4" if service == "s3" else None,
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 2},
            max_pool_connections=20,
        ),
    )


def listen(host: str, port: int, purpose: str, option: str) -> socket.socket:
    """A listening socket. Raises: StartError."""
    try:
        return socket.create_server((host, port), backlog=512)
    except OSError as error:
        what = f"port {port} of {host} for the {purpose} cannot be used: {error.strerror}"
        raise StartError(f"{what}; choose another with {option}, or 0 for any free one") from error


def log_tail(path: Path) -> str:
    """The last line of a log, for an error message."""
    lines = path.read_text("utf-8", "replace").strip().splitlines() if path.is_file() else []
    return lines[-1] if lines else ""
