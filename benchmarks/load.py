"""A load of one connection or several: on each, the next request leaves when the answer to the last one is there.

`wrk` where it is on the PATH, else a socket of our own; both check the status and read the whole answer.
"""

import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.wire import Message

SCRIPT = """
wrk.method = "POST"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
{headers}
"""


class Failed(Exception):
    """An answer that is not 200, or none."""


def client() -> str:
    """What makes the load, for the tables."""
    return "wrk" if shutil.which("wrk") else "a blocking Python socket"


def takes_several() -> bool:
    """Whether there can be several connections."""
    return shutil.which("wrk") is not None


def requests_per_second(port: int, path: str, message: Message, seconds: float, connections: int = 1) -> float:
    """Raises Failed."""
    if takes_several():
        return _wrk(port, path, message, seconds, connections)
    return _socket(port, path, message, seconds)


class Connection:
    """A kept-alive HTTP/1.1 connection."""

    def __init__(self, port: int, timeout: float = 30.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._port = port

    def close(self) -> None:
        self._socket.close()

    def request(self, method: str, path: str, message: Message) -> bytes:
        """The bytes of a request."""
        lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{self._port}", f"content-length: {len(message.body)}"]
        lines += [f"{name}: {value}" for name, value in message.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + message.body

    def send(self, request: bytes) -> tuple[int, Message]:
        """Status and answer."""
        self._socket.sendall(request)
        received = self._receive(b"")
        while (end := received.find(b"\r\n\r\n")) < 0:
            received = self._receive(received)
        status, headers = _head(received[:end].decode("latin-1"))
        body = received[end + 4 :]
        if headers.get("transfer-encoding") == "chunked":
            while not body.endswith(b"0\r\n\r\n"):
                body = self._receive(body)
            return status, Message(headers, _unchunked(body))
        length = int(headers.get("content-length", 0))
        while len(body) < length:
            body = self._receive(body)
        return status, Message(headers, body)

    def _receive(self, received: bytes) -> bytes:
        part = self._socket.recv(1 << 18)
        if not part:
            raise Failed("the server closed the connection")
        return received + part


def ask(port: int, path: str, message: Message) -> Message:
    """One answer on a connection of its own.

    Raises:
        Failed: it is not 200.
    """
    connection = Connection(port)
    try:
        status, answer = connection.send(connection.request("POST", path, message))
    finally:
        connection.close()
    if status != 200:
        raise Failed(f"status {status}: {answer.body[:300]!r}")
    return answer


def _socket(port: int, path: str, message: Message, seconds: float) -> float:
    connection, answers = Connection(port), 0
    request = connection.request("POST", path, message)
    started = time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds:
        status, _ = connection.send(request)
        if status != 200:
            raise Failed(f"status {status} under load")
        answers += 1
    connection.close()
    return answers / spent


def _wrk(port: int, path: str, message: Message, seconds: float, connections: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        body, script = Path(name, "body"), Path(name, "load.lua")
        body.write_bytes(message.body)
        headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in message.headers.items())
        script.write_text(SCRIPT.format(body=body, headers=headers))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout=30s", "-s", script]
        printed = subprocess.run(
            [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
        ).stdout
    if "Non-2xx" in printed or "Socket errors" in printed:
        raise Failed(printed)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    if rate is None:
        raise Failed(printed)
    return float(rate[1])


def _head(text: str) -> tuple[int, dict[str, str]]:
    first, *lines = text.split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split(" ")[1]), {name.lower(): value.strip() for name, _, value in pairs}


def _unchunked(body: bytes) -> bytes:
    parts = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        parts.append(rest[:length])
        body = rest[length + 2 :]
    return b"".join(parts)
