"""For tests of requests without boto3: moto over HTTP, and a server that answers what it is told to."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader

from moto.server import ThreadedMotoServer

from modelmill.aws.credentials import CurrentCredentials
from modelmill.aws.http_connection import Origin
from modelmill.aws.signature import Scope
from modelmill.aws.signed import SignedCalls

ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@contextmanager
def moto_over_http() -> Iterator[str]:
    """The address of moto in this process; it shows what `mock_aws` shows."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


class Hangup:
    """Instead of an answer: the connection ends."""


type Step = bytes | type[Hangup] | Callable[[], bytes]


class ScriptedServer:
    """Answers each request with the next step of `steps`, byte by byte as it is; `requests` are what came."""

    def __init__(self, steps: list[Step], tls: ssl.SSLContext | None = None) -> None:
        self.steps = steps
        self._tls = tls
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._clients: list[SignedCalls] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    @property
    def origin(self) -> Origin:
        return Origin.parse(self.url)

    def drop_connections(self) -> None:
        """What a server does with connections that were idle for long."""
        for each in self._open:
            each.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def calls(self, credentials: CurrentCredentials, service: str = "dynamodb") -> SignedCalls:
        """Signed calls to this server."""
        made = SignedCalls(service, self.origin, Scope("us-east-1", service), credentials)
        self._clients.append(made)
        return made

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for each in self._open:
            each.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self._tls is not None:
                try:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                except OSError:
                    connection.close()
                    continue
            self._open.append(connection)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        file = connection.makefile("rb")
        try:
            while request := _read_request(file):
                self.requests.append(request)
                step = self.steps.pop(0)
                if step is Hangup:
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                answer = step if isinstance(step, bytes) else step()  # type: ignore[operator]
                connection.sendall(answer)
                if b"connection: close" in answer.lower() or b"content-length" not in answer.lower():
                    connection.shutdown(socket.SHUT_RDWR)
                    return
        except OSError:
            return
        finally:
            file.close()
            connection.close()


@contextmanager
def scripted(*steps: Step, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """A server with these answers."""
    server = ScriptedServer(list(steps), tls)
    try:
        yield server
    finally:
        server.close()


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer with a body of known length."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _read_request(file: BufferedReader) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = file.readline()
        if not line:
            return b""
        head += line
    length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
    return head + file.read(int(length.partition(b":")[2]))
