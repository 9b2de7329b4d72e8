"""A request as API Gateway's event (HTTP API, payload format 2.0), and a function's result as an answer."""

import base64
from typing import Any

from benchmarks.wire import Message

HEADERS = {
    "accept": "*/*",
    "accept-encoding": "identity",
    "host": "x.execute-api.eu-central-1.amazonaws.com",
    "user-agent": "curl/8.5.0",
    "x-amzn-trace-id": "Root=1-6923b4cb-4f1a2b3c4d5e6f7081920a1b",
    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-port": "443",
    "x-forwarded-proto": "https",
}


def gateway_event(path: str, message: Message) -> dict[str, Any]:
    """A POST; a body that is not JSON comes in base64."""
    binary = message.headers["content-type"] != "application/json"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": HEADERS | message.headers | {"content-length": str(len(message.body))},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": HEADERS["host"],
            "domainPrefix": "x",
            "http": {
                "method": "POST",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "curl/8.5.0",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "23/Nov/2026:01:02:03 +0000",
            "timeEpoch": 1795482123456,
        },
        "body": base64.b64encode(message.body).decode() if binary else message.body.decode(),
        "isBase64Encoded": binary,
    }


def answer_of(result: dict[str, Any]) -> Message:
    """Raises ValueError for any status but 200."""
    if result["statusCode"] != 200:
        raise ValueError(f"status {result['statusCode']}: {result['body'][:300]}")
    body = base64.b64decode(result["body"]) if result.get("isBase64Encoded") else result["body"].encode()
    return Message({name.lower(): value for name, value in (result.get("headers") or {}).items()}, body)
