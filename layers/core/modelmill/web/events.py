"""API Gateway's events (HTTP API, payload format 2.0) to plain HTTP and back."""

from typing import Any, NamedTuple

import pybase64


class Request(NamedTuple):
    """A request; header names are in lower case, the path is decoded."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    request_id: str


class Answer(NamedTuple):
    """An answer; `binary`: its body is not text."""

    status: int
    headers: dict[str, str]
    body: bytes
    binary: bool = False


def read_event(event: dict[str, Any]) -> Request:
    """The request in an event."""
    context = event["requestContext"]
    headers = event.get("headers") or {}
    if "x-api-key" not in headers and "authorization" not in headers:
        # API Gateway sends names in lower case, `sam local` as they came.
        headers = {name.lower(): value for name, value in headers.items()}
    return Request(context["http"]["method"], event["rawPath"], headers, _body(event), context["requestId"])


def write_result(answer: Answer) -> dict[str, Any]:
    """What the function returns for an answer."""
    body = pybase64.b64encode_as_string(answer.body) if answer.binary else answer.body.decode()
    return {"statusCode": answer.status, "headers": answer.headers, "body": body, "isBase64Encoded": answer.binary}


def _body(event: dict[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            return pybase64.b64decode(body, validate=True)
        except ValueError:
            pass  # API Gateway sends no such event; as it stands, it is refused as a body that cannot be read
    # The event's own JSON may hold lone surrogates; whoever reads the body refuses them.
    return body.encode(errors="surrogatepass")
