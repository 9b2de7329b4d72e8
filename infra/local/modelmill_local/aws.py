"""The local AWS: moto behind one address, with what moto lacks around it."""

import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from modelmill_local.answers import Answer, App, ServiceError, StartResponse, as_json, call, read_body
from modelmill_local.faults import Faults
from modelmill_local.journal import Journal
from modelmill_local.s3 import S3
from modelmill_local.sagemaker import SageMaker

_CONTROL = "/_local/"


@dataclass(frozen=True)
class Parts:
    """What the application is made of."""

    moto: App
    s3: S3
    sagemaker: SageMaker
    journal: Journal
    faults: Faults


class LocalAws:
    """The WSGI application."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        # moto's tables lose acknowledged writes when other threads' transactions are cancelled.
        self._dynamodb = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        try:
            answer = self._answer(environ)
        except ServiceError as error:
            answer = error.answer()
        return answer.send(start_response)

    def _answer(self, environ: dict[str, Any]) -> Answer:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        service, _, operation = target.partition(".")
        if environ["PATH_INFO"].startswith(_CONTROL):
            return self._control(environ)
        if failure := self._parts.faults.next_failure(operation):
            read_body(environ)
            raise ServiceError(failure.code, failure.message, failure.status)
        handlers: dict[str, Callable[[dict[str, Any], str], Answer]] = {
            "DynamoDB_20120810": self._dynamodb_call,
            "SageMaker": self._sagemaker_call,
            "AmazonSQS": self._sqs_call,
        }
        if handler := handlers.get(service):
            return handler(environ, operation)
        if not target and _is_s3(environ):
            return self._parts.s3.answer(environ)
        read_body(environ)
        return call(self._parts.moto, environ)

    def _dynamodb_call(self, environ: dict[str, Any], operation: str) -> Answer:
        body = read_body(environ)
        with self._dynamodb:
            answer = call(self._parts.moto, environ)
            if answer.status == 200:
                self._parts.journal.note_items(operation, json.loads(body))
        return answer

    def _sagemaker_call(self, environ: dict[str, Any], operation: str) -> Answer:
        return as_json(self._parts.sagemaker.call(operation, json.loads(read_body(environ) or b"{}")))

    def _sqs_call(self, environ: dict[str, Any], operation: str) -> Answer:
        body = read_body(environ)
        if operation == "SendMessage" and self._parts.faults.loses("sqs"):
            text = json.loads(body)["MessageBody"].encode()
            digest = hashlib.md5(text, usedforsecurity=False).hexdigest()
            return as_json({"MessageId": str(uuid.uuid4()), "MD5OfMessageBody": digest})
        return call(self._parts.moto, environ)

    def _control(self, environ: dict[str, Any]) -> Answer:
        """The operator's side: restore after a start, faults for tests. For this machine only."""
        own_address = environ["werkzeug.socket"].getsockname()[0]
        if environ["REMOTE_ADDR"] != own_address:
            raise ServiceError("AccessDenied", "only this machine may control the local cloud", 403)
        action = (environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix(_CONTROL))
        body = read_body(environ)
        if action == ("POST", "restore"):
            self._parts.journal.restore()
            self._parts.sagemaker.restore()
        elif action == ("POST", "faults"):
            self._set_faults(body)
        elif action not in (("GET", "health"), ("GET", "faults")):
            raise ServiceError("UnknownOperation", f"no such control: {action[0]} {action[1]}", 404)
        return as_json({"faults": self._parts.faults.describe()})

    def _set_faults(self, body: bytes) -> None:
        try:
            self._parts.faults.set(json.loads(body or b"{}"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ServiceError("ValidationException", f"not a description of faults: {error!r}") from error


def _is_s3(environ: dict[str, Any]) -> bool:
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if authorization.startswith("AWS4-HMAC-SHA256"):
        return "/s3/aws4_request" in authorization
    if "/s3/aws4_request" in unquote(environ["QUERY_STRING"]):
        return True
    return not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
