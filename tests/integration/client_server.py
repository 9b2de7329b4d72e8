"""A small HTTP server that answers what a test tells it to and remembers what it was asked; commands that call it."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner, Result

from modelmill_client.cli.app import app

_KEPT = 1 << 18


@dataclass(frozen=True)
class Seen:
    """A request as it came in; names of headers are in lower case, of a large body only the beginning is kept."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    length: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What to send back; `body` is JSON unless it is bytes. Status 0 drops the connection."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Reply = Answer | Callable[[Seen], Answer]
Run = Callable[..., Result]


class FakeApi:
    """Per route a queue of answers, of which the last one stays."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._routes: dict[tuple[str, str], list[Reply]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def on(self, method: str, path: str, *replies: Reply) -> None:
        self._routes[method, path] = list(replies)

    def requests(self, method: str, path: str) -> list[Seen]:
        return [seen for seen in self.seen if (seen.method, seen.path) == (method, path)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        replies = self._routes.get((seen.method, seen.path))
        if not replies:
            return Answer({"detail": f"no {seen.method} {seen.path}", "code": "not_found"}, 404)
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        return reply if isinstance(reply, Answer) else reply(seen)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                url = urlsplit(self.path)
                seen = Seen(
                    self.command,
                    url.path,
                    {name: values[0] for name, values in parse_qs(url.query).items()},
                    {name.lower(): value for name, value in self.headers.items()},
                    *self._read_body(int(self.headers.get("content-length") or 0)),
                )
                self._send(api.answer(seen))

            def _read_body(self, length: int) -> tuple[bytes, int]:
                kept = self.rfile.read(min(length, _KEPT))
                left = length - len(kept)
                while left and (chunk := self.rfile.read(min(left, _KEPT))):
                    left -= len(chunk)
                return kept, length - left

            def _send(self, answer: Answer) -> None:
                if answer.status == 0:
                    self.close_connection = True
                    return
                body = answer.body if isinstance(answer.body, bytes) else b""
                if answer.body is not None and not isinstance(answer.body, bytes):
                    body = json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def command_line(api: FakeApi, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `modelmill` with these words in the folder, connected to the server."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MODELMILL_URL", api.url)
    monkeypatch.setenv("MODELMILL_API_KEY", "mm_test")

    def invoke(*arguments: str, **settings: Any) -> Result:
        return CliRunner().invoke(app, list(arguments), **settings)

    return invoke
