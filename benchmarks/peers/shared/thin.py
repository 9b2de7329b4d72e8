"""The thinnest HTTP/1.1 server: a parser in C on an event loop in C, one call of a function per request."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

import httptools
import uvloop

type Answer = tuple[int, dict[str, str], bytes]
type Handler = Callable[[str, str, dict[str, str], bytes], Answer]

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class Connection(asyncio.Protocol):
    """Answers requests in their order, each before the next is read."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._parser = httptools.HttpRequestParser(self)
        self._headers: dict[str, str] = {}
        self._path, self._body = "", b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._headers, self._path, self._body = {}, "", b""

    def on_url(self, url: bytes) -> None:
        self._path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self._body = self._body + part if self._body else part

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        status, headers, body = self._handler(method, self._path, self._headers, self._body)
        fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"{STATUS_LINES[status]}{fields}content-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode("latin-1") + body)  # type: ignore[attr-defined]


def serve(handler: Handler, port: int) -> None:
    """On 127.0.0.1, until the process is ended.

    handler: method, path, headers by lower-case name and body to status, headers and body.
    """

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Connection(handler), "127.0.0.1", port)
        await server.serve_forever()

    uvloop.run(main())
