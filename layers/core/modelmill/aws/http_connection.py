"""One kept-alive HTTP/1.1 connection (https://www.rfc-editor.org/rfc/rfc9112), as far as AWS's answers need it.

`http.client` loads `ssl` and `email` before anything is sent: a fifth of a cold start.
"""

import select
import socket
import time
from collections.abc import Iterator
from functools import cache
from io import BufferedReader
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ssl import SSLContext

PIECE_BYTES = 1024 * 1024
# Whatever lies between may forget an idle connection without a word, and then the first request on it times out.
IDLE_SECONDS = 30.0
MAX_LINE_BYTES = 64 * 1024
MAX_HEADERS = 100


class Origin(NamedTuple):
    """Whom to connect to."""

    tls: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> "Origin":
        """The origin that a URL names; it must name nothing else.

        Raises:
            ValueError: it is not `http[s]://host[:port][/]`.
        """
        scheme, _, rest = url.partition("://")
        authority = rest.removesuffix("/")
        host, _, port = authority.rpartition(":") if authority[-1:].isdecimal() else (authority, "", "")
        if not host:
            host, port = authority, ""
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        plain = host and host.isascii() and not set(host) & set("/?#@[] \t\r\n")
        if scheme not in ("http", "https") or not plain or (":" in host and "[" not in authority):
            raise ValueError(f"{url!r} is not the address of an endpoint; expected http[s]://host[:port]")
        return cls(scheme == "https", host, int(port) if port else 443 if scheme == "https" else 80)


class NotHttp(OSError):
    """What came back is not HTTP."""


class Response:
    """An answer whose body is still to come; header names are in lower case."""

    def __init__(self, status: int, headers: dict[str, str], file: BufferedReader, persistent: bool) -> None:
        self.status = status
        self.headers = headers
        self._file = file
        self._persistent = persistent
        self._left = _length(status, headers)
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self._finished = self._left == 0 and not self._chunked

    @property
    def reusable(self) -> bool:
        """Whether the connection can carry the next request."""
        return self._finished and self._persistent

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The body in pieces.

        Raises:
            OSError: it ended too early.
        """
        yield from self._chunks() if self._chunked else self._plain()
        self._finished = True

    def _plain(self) -> Iterator[bytes]:
        while self._left != 0:
            piece = self._file.read(PIECE_BYTES if self._left is None else min(PIECE_BYTES, self._left))
            if not piece:
                if self._left is None:
                    self._persistent = False
                    return
                raise NotHttp(f"the body ended {self._left} bytes too early")
            if self._left is not None:
                self._left -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := _chunk_size(_line(self._file)):
            piece = self._file.read(size)
            if len(piece) < size or _line(self._file):
                raise NotHttp("a chunk of the body is not as long as it says")
            yield piece
        while _line(self._file):
            pass


class Connection:
    """Carries one request at a time: the body of an answer is read before the next request, or the connection goes."""

    def __init__(self, origin: Origin, connect_seconds: float, read_seconds: float) -> None:
        self.origin = origin
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._socket: socket.socket | None = None
        self._file: BufferedReader | None = None
        self._response: Response | None = None
        self._used_at = 0.0

    def send(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Response:
        """The answer to a request, on the open connection where that is still good.

        Raises:
            OSError: nobody answers in time, or not in HTTP.
        """
        carrier, file = self._ready()
        self._response = None
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if body:
            lines.append(f"content-length: {len(body)}")
        carrier.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        self._response = _read_response(file)
        self._used_at = time.time()
        return self._response

    def close(self) -> None:
        """Let go of the connection; the next request opens another."""
        if self._file is not None:
            self._file.close()
        if self._socket is not None:
            self._socket.close()
        self._file = self._socket = self._response = None

    def _ready(self) -> tuple[socket.socket, BufferedReader]:
        if self._socket is not None and self._file is not None and self._is_good(self._socket):
            return self._socket, self._file
        self.close()
        carrier = self._socket = self._connected()
        self._file = carrier.makefile("rb")
        return carrier, self._file

    def _is_good(self, carrier: socket.socket) -> bool:
        if self._response is None or not self._response.reusable:
            return False
        if not 0 <= time.time() - self._used_at < IDLE_SECONDS:
            return False
        # Something to read before anything was asked is the other side's good-bye.
        poll = select.poll()
        poll.register(carrier, select.POLLIN)
        return not poll.poll(0)

    def _connected(self) -> socket.socket:
        carrier = socket.create_connection((self.origin.host, self.origin.port), self._connect_seconds)
        try:
            carrier.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.origin.tls:
                carrier = tls_context().wrap_socket(carrier, server_hostname=self.origin.host)
            carrier.settimeout(self._read_seconds)
        except OSError:
            carrier.close()
            raise
        return carrier


@cache
def tls_context() -> "SSLContext":
    """The machine's trust, loaded once."""
    import ssl

    return ssl.create_default_context()


def _read_response(file: BufferedReader) -> Response:
    while True:
        version, status = _status(_line(file))
        headers = _headers(file)
        if status >= 200:
            break
    persistent = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    return Response(status, headers, file, persistent)


def _status(line: str) -> tuple[str, int]:
    version, _, rest = line.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or len(status) != 3 or not status.isdecimal():
        raise NotHttp("the answer does not begin with HTTP's status line")
    return version, int(status)


def _headers(file: BufferedReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    while line := _line(file):
        name, colon, value = line.partition(":")
        if not colon or len(headers) >= MAX_HEADERS:
            raise NotHttp("the answer's headers are not HTTP's")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _line(file: BufferedReader) -> str:
    line = file.readline(MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise NotHttp("the connection ended within the answer" if len(line) < MAX_LINE_BYTES else "a line is too long")
    return line.decode("latin-1").rstrip("\r\n")


def _length(status: int, headers: dict[str, str]) -> int | None:
    """Bytes of the body; None where it goes on until the connection ends."""
    if status in (204, 304):
        return 0
    length = headers.get("content-length")
    if length is None:
        return None
    if not length.isdecimal():
        raise NotHttp("the answer's content-length is not a number")
    return int(length)


def _chunk_size(line: str) -> int:
    size = line.partition(";")[0].strip()
    if not size or set(size) - set("0123456789abcdefABCDEF"):
        raise NotHttp("a chunk of the body has no size")
    return int(size, 16)
