"""A small HTTP/1.1 wire: reads requests from a socket and writes responses to it.

The gateway and the Lambda Runtime API both speak through it. The standard library's server refuses the
header lines over 64 KB that the Lambda runtime client sends, and parses headers as e-mail, which costs more
than all the rest of the gateway.
"""

import contextlib
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

Headers = list[tuple[str, str]]

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_CHUNK = 1 << 20
_DRAIN_AT_MOST = 64 << 20


class WireError(Exception):
    """A request that cannot be read; `status` is what its sender should be told."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """The most bytes that a request may have."""

    head: int
    body: int


@dataclass(frozen=True)
class Request:
    """One request: header names in lower case, in the order in which they came."""

    method: str
    target: str
    version: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header, given by its lower-case name."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def keeps_alive(self) -> bool:
        """Whether the sender will use the connection again."""
        connection = (self.header("connection") or "").lower()
        return connection != "close" and (self.version == "HTTP/1.1" or connection == "keep-alive")


class Connection:
    """One accepted connection."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._limits = limits
        self._reader = sock.makefile("rb", 65536)

    def settimeout(self, seconds: float | None) -> None:
        """Bound every later read and write; `TimeoutError` afterwards, and the connection is spent."""
        self._socket.settimeout(seconds)

    def read(self) -> Request | None:
        """The next request, or None at the end of the connection. Raises: WireError, OSError."""
        line = self._line(self._limits.head)
        if not line:
            return None
        method, target, version = _request_line(line)
        headers = self._headers(self._limits.head - len(line))
        return Request(method, target, version, headers, self._body(headers))

    def write(self, status: int, headers: Iterable[tuple[str, str]], body: bytes, *, head_only: bool = False) -> None:
        """Send a response; its length is set here unless the status forbids a body."""
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if status >= 200 and status != 204:
            lines.append(f"content-length: {len(body)}")
        data = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        self._socket.sendall(data if head_only or status in (204, 304) else data + body)

    def interrupt(self) -> None:
        """End the connection from another thread than the one that reads from it, which is left to close it."""
        with contextlib.suppress(OSError):  # the other side was faster
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection."""
        self.interrupt()
        self._reader.close()
        self._socket.close()

    def _line(self, limit: int) -> bytes:
        line = self._reader.readline(limit + 1)
        if len(line) > limit:
            raise WireError(431, "Request Header Fields Too Large")
        return line

    def _headers(self, room: int) -> Headers:
        headers: Headers = []
        while line := self._line(room).rstrip(b"\r\n"):
            room -= len(line)
            name, colon, value = line.partition(b":")
            if not colon or name != name.strip():
                raise WireError(400, "Bad Request")
            headers.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
        return headers

    def _body(self, headers: Headers) -> bytes:
        fields = dict(headers)
        waits = fields.get("expect", "").lower() == "100-continue"
        chunked = fields.get("transfer-encoding", "").lower() == "chunked"
        length = fields.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise WireError(400, "Bad Request")
        if int(length) > self._limits.body:
            self._drain(0 if waits else min(int(length), _DRAIN_AT_MOST))
            raise WireError(413, "Request Entity Too Large")
        if waits:
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return b"".join(self._chunks()) if chunked else self._exactly(int(length))

    def _chunks(self) -> Iterable[bytes]:
        total = 0
        while size := self._chunk_size():
            total += size
            if total > self._limits.body:
                raise WireError(413, "Request Entity Too Large")
            yield self._exactly(size)
            self._line(2)
        while self._line(self._limits.head).rstrip(b"\r\n"):
            pass

    def _chunk_size(self) -> int:
        try:
            return int(self._line(100).partition(b";")[0].strip(), 16)
        except ValueError:
            raise WireError(400, "Bad Request") from None

    def _exactly(self, length: int) -> bytes:
        body: bytes = self._reader.read(length)
        if len(body) < length:
            raise ConnectionResetError("the sender closed the connection in the middle of a request")
        return body

    def _drain(self, length: int) -> None:
        """Read what will be refused, since closing on unread bytes resets the connection before the answer arrives."""
        while length > 0 and (piece := self._reader.read(min(length, _CHUNK))):
            length -= len(piece)


def _request_line(line: bytes) -> tuple[str, str, str]:
    parts = line.decode("latin-1").rstrip("\r\n").split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise WireError(400, "Bad Request")
    return parts[0], parts[1], parts[2]
