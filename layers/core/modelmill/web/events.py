"""API Gateway's events (HTTP API, payload format 2.0) to plain HTTP and back."""

import base64
from typing import Any, NamedTuple


class Request(NamedTuple):
    """A request; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    request_id: str


class Answer(NamedTuple):
    """An answer, with a text as its body."""

    status: int
    headers: dict[str, str]
    body: bytes


def read_event(event: dict[str, Any]) -> Request:
    """The request in an event."""
    context = event["requestContext"]
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
    return Request(context["http"]["method"], event["rawPath"], headers, _body(event), context["requestId"])


def write_result(answer: Answer) -> dict[str, Any]:
    """What the function returns for an answer."""
    return {
        "statusCode": answer.status,
        "headers": answer.headers,
        "body": answer.body.decode(),
        "isBase64Encoded": False,
    }


def _body(event: dict[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return base64.b64decode(body)
    # The event's own JSON may hold lone surrogates; whoever reads the body refuses them.
    return body.encode(errors="surrogatepass")
