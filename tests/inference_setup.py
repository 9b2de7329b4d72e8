"""A data plane in one process, on the fakes, driven by the gateway's events."""

import time
from collections.abc import Callable
from typing import Any

import orjson

from modelmill.serving.serve import ModelServer
from modelmill.serving.sessions import Sessions, free_temporary_disk
from modelmill.tenancy.access import Access
from modelmill.web.events import read_event, write_result
from modelmill.web.inference import Inference
from tests.serving_fakes import Clock, FakeKeys, FakeStore

KEY = "mm_test"


class Plane:
    """`infer` with a tenant `acme` whose key is KEY."""

    def __init__(
        self,
        max_bytes: int = 500 * 1024 * 1024,
        store: FakeStore | None = None,
        monthly_quota: int = 0,
        free_disk: Callable[[], int] = free_temporary_disk,
    ) -> None:
        self.clock, self.keys, self.store = Clock(), FakeKeys(), store or FakeStore()
        self.keys.give(KEY, "acme", "predict")
        self.sessions = Sessions(max_bytes, free_disk)
        self.lines: list[bytes] = []
        self.server = ModelServer(self.store, self.store, self.sessions, self.clock)
        access = Access(self.keys, monthly_quota, self.clock)
        self.inference = Inference(access, self.server, self.lines.append)
        self.seconds = 25.0

    def send(self, event: dict[str, Any]) -> dict[str, Any]:
        """The function's result for an event."""
        return write_result(self.inference(read_event(event), time.monotonic() + self.seconds))

    def post(self, body: Any, model: str = "m", **event: Any) -> tuple[int, dict[str, Any]]:
        """Status and parsed body; `body` is JSON-ready, or the text itself."""
        result = self.send(predict_event(body, model, **event))
        return result["statusCode"], orjson.loads(result["body"])

    def log(self) -> dict[str, Any]:
        """The last line of log."""
        line: dict[str, Any] = orjson.loads(self.lines[-1])
        return line


def predict_event(body: Any, model: str = "m", *, key: str | None = KEY, **changes: Any) -> dict[str, Any]:
    """The event of a predict call, as API Gateway sends it."""
    path = changes.pop("path", f"/v1/models/{model}/predict")
    method = changes.pop("method", "POST")
    headers = {
        "accept": "*/*",
        "content-type": "application/json",
        "host": "x.execute-api.eu-central-1.amazonaws.com",
        "user-agent": "curl/8.5.0",
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    if key is not None:
        headers["x-api-key"] = key
    return {
        "version": "2.0",
        "routeKey": "POST /v1/models/{model}/predict",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers | changes.pop("headers", {}),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "POST /v1/models/{model}/predict",
            "stage": "$default",
            "timeEpoch": 1795482123456,
        },
        "pathParameters": {"model": model},
        "body": body if isinstance(body, str) else orjson.dumps(body).decode(),
        "isBase64Encoded": False,
        **changes,
    }


# What the template gives to `infer`, as far as it does not say where AWS is.
VARIABLES = {
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
    "AWS_REGION": "us-east-1",
    "MODELMILL_MAX_MONTHLY_PREDICTIONS": "0",
    "MODELMILL_STORE_BUCKET": "store",
    "MODELMILL_TABLE": "table",
}
