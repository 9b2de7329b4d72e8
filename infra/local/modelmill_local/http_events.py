"""Translates between HTTP and API Gateway's payload format 2.0."""

import base64
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from modelmill_local.intrinsics import ACCOUNT
from modelmill_local.wire import Headers, Request

_DOMAIN = "local.execute-api.us-east-1.amazonaws.com"
_TEXT_TYPES = frozenset({"application/json", "application/javascript", "application/xml", "application/problem+json"})
_OURS = ("connection", "content-length", "transfer-encoding")


@dataclass(frozen=True)
class Response:
    """What goes back to the client."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""


class BadAnswerError(Exception):
    """The function's answer is not one that API Gateway takes."""


def message(status: int, text: str) -> Response:
    """An answer of API Gateway's own, in its form."""
    return Response(status, [("content-type", "application/json")], orjson.dumps({"message": text}))


def to_event(request: Request, route_key: str, parameters: Mapping[str, str], source_ip: str) -> bytes:
    """The event that API Gateway would send for `request`, as JSON."""
    path, _, query = request.target.partition("?")
    headers, cookies = _join_headers(request.headers)
    now = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": unquote(path),
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": headers.get("host", _DOMAIN),
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": unquote(path),
                "protocol": request.version,
                "sourceIp": source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": uuid.uuid4().hex[:15] + "=",
            "routeKey": route_key,
            "stage": "$default",
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = _join_query(query)
    if parameters:
        event["pathParameters"] = parameters
    if request.body:
        event["body"], event["isBase64Encoded"] = _encode_body(request.body, headers.get("content-type", ""))
    return orjson.dumps(event)


def from_answer(payload: bytes) -> Response:
    """The HTTP response that API Gateway makes of a function's answer. Raises: BadAnswerError."""
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise BadAnswerError(f"the answer is not JSON: {error}") from error
    if not isinstance(answer, dict) or "statusCode" not in answer:
        body = answer if isinstance(answer, str) else orjson.dumps(answer).decode()
        return Response(200, [("content-type", "application/json")], body.encode())
    try:
        return _structured(answer)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadAnswerError(f"the answer has a field of a wrong type: {error}") from error


def _structured(answer: dict[str, Any]) -> Response:
    headers = [(str(name).lower(), _text(value)) for name, value in (answer.get("headers") or {}).items()]
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        headers += [(str(name).lower(), _text(value)) for value in values]
    headers += [("set-cookie", str(cookie)) for cookie in answer.get("cookies") or []]
    body = answer.get("body") or ""
    if not isinstance(body, str):
        raise TypeError(f"body is {type(body).__name__}, not a string")
    data = base64.b64decode(body, validate=True) if answer.get("isBase64Encoded") else body.encode()
    if data and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    kept = [(name, value) for name, value in headers if name not in _OURS]
    return Response(int(answer["statusCode"]), kept, data)


def _text(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "\r" in text or "\n" in text:
        raise ValueError("a header value has a line break")
    return text


def _join_headers(given: Headers) -> tuple[dict[str, str], list[str]]:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in given:
        if name == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";")]
        elif name not in ("connection", "expect", "transfer-encoding"):
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers, cookies


def _join_query(query: str) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _encode_body(body: bytes, content_type: str) -> tuple[str, bool]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _TEXT_TYPES or kind.startswith("text/"):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass  # compressed, or not the text that it says it is
    return base64.b64encode(body).decode(), True
