"""WSGI as calls that return their answer."""

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from werkzeug.wsgi import get_input_stream

StartResponse = Callable[..., Any]
App = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


@dataclass(frozen=True)
class Answer:
    """A response whose body may be produced while it is sent."""

    status: int
    headers: list[tuple[str, str]]
    body: Iterable[bytes]

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request."""
        start_response(f"{self.status} {_reason(self.status)}", self.headers)
        return self.body


class ServiceError(Exception):
    """An error in the form of AWS's JSON protocols."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

    def answer(self) -> Answer:
        """The error as an answer."""
        return as_json({"__type": self.code, "message": str(self), "Message": str(self)}, self.status)


class RefusedError(Exception):
    """S3's refusal of a request."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def as_json(value: Any, status: int = 200) -> Answer:
    """An answer in AWS's JSON protocols."""
    body = json.dumps(value).encode()
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
    return Answer(status, headers, [body])


def call(app: App, environ: dict[str, Any]) -> Answer:
    """Run a WSGI application to the end of its answer."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:  # noqa: ARG001 - WSGI
        started[:] = [status, headers]

    pieces = app(environ, start_response)
    try:
        body = b"".join(pieces)
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
    return Answer(int(started[0].split(" ")[0]), started[1], [body])


def read_body(environ: dict[str, Any]) -> bytes:
    """The whole body of a request, which stays readable for the next application."""
    body = get_input_stream(environ).read()
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ.pop("wsgi.input_terminated", None)
    return body


def _reason(status: int) -> str:
    return HTTPStatus(status).phrase
