"""The control plane's HTTP application: who may call, how errors look, which routes there are."""

import base64
import json
from dataclasses import dataclass
from typing import Annotated, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import CORSConfig, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Query

from modelmill.base_models.records import BaseModels
from modelmill.datasets.lifecycle import DatasetFiles
from modelmill.datasets.records import Datasets
from modelmill.datasets.uploading import KeptFiles, Upload, UploadForms
from modelmill.errors import (
    FieldError,
    InvalidRequest,
    MalformedRequest,
    ModelmillError,
    NotFound,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)
from modelmill.jobs.compute import Offer
from modelmill.jobs.progress import JobLogs
from modelmill.jobs.records import Jobs
from modelmill.jobs.submit import JobQueue, Stopper
from modelmill.models.registry import BundleFiles, Registry
from modelmill.models.uploads import ModelUploads
from modelmill.tenancy.keys import Key, Keys, Scope, authenticate
from modelmill.tenancy.quotas import Limits, UsageStore
from modelmill.web.credentials import sent_secret
from modelmill.web.openapi import DocumentedResolver
from modelmill.web.problems import problem, problem_headers

OPEN_PATHS = frozenset({"/health", "/openapi.json", "/docs"})
MAX_BODY_BYTES = 1024 * 1024
MAX_FIELD_ERRORS = 20

Limit = Annotated[int, Query(ge=1, le=100, description="items on a page")]
Cursor = Annotated[str | None, Query(max_length=600, description="next_cursor of the page before")]

logger = Logger()


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the routes work with."""

    keys: Keys
    usage: UsageStore
    limits: Limits
    offer: Offer
    datasets: Datasets
    forms: UploadForms
    dataset_files: DatasetFiles
    base_models: BaseModels
    base_model_files: KeptFiles
    jobs: Jobs
    dispatches: JobQueue
    stopper: Stopper
    logs: JobLogs
    registry: Registry
    model_uploads: ModelUploads
    bundles: BundleFiles


class ControlPlane:
    """The resolver with what every route needs."""

    def __init__(self, services: Services, cors_origin: str = "") -> None:
        self.services = services
        self._caller: Key | None = None
        cors = CORSConfig(cors_origin, allow_headers=["x-api-key", "idempotency-key"]) if cors_origin else None
        self.http = DocumentedResolver(enable_validation=True, cors=cors, json_body_deserializer=_parse)
        self.http.exception_handler(ModelmillError)(self._refuse)
        self.http.exception_handler(RequestValidationError)(self._refuse_fields)
        self.http.exception_handler(NotFoundError)(self._refuse_path)
        self.http.exception_handler(Exception)(self._fail)

    def resolve(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The answer to a gateway event (HTTP API, payload 2.0)."""
        try:
            event = normalized(event)
            self._caller = self._authenticate(event)
            check_body(event)
        except ModelmillError as error:
            return _refusal(error, event["requestContext"]["requestId"])
        return self.http.resolve(event, context)

    def demand(self, scope: Scope) -> Key:
        """The caller's key, which must have the scope.

        Raises:
            Unauthenticated, Forbidden.
        """
        if self._caller is None:
            raise Unauthenticated("this call needs an API key")
        self._caller.demand(scope)
        return self._caller

    def idempotency_key(self) -> str | None:
        """What the client sent to make a creating call safe to repeat.

        Raises:
            InvalidRequest: it is longer than 200 characters.
        """
        key = self.http.current_event.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= 200:
            raise InvalidRequest("Idempotency-Key must be 1 to 200 characters")
        return key

    @property
    def request_id(self) -> str:
        """The gateway's id of this request."""
        return str(self.http.current_event.request_context.request_id)

    def _refuse(self, error: ModelmillError) -> Response[str]:
        logger.info("refused", extra={"code": error.code, "status": error.status, "request_id": self.request_id})
        body = json.dumps(problem(error, self.request_id))
        return Response(error.status, body=body, headers=problem_headers(error))

    def _authenticate(self, event: dict[str, Any]) -> Key | None:
        if event["rawPath"] in OPEN_PATHS or event["requestContext"]["http"]["method"] == "OPTIONS":
            return None
        return authenticate(self.services.keys.find, sent_secret(event.get("headers", {})))

    def _refuse_fields(self, error: RequestValidationError) -> Response[str]:
        if not self.http.current_event.body and any(each.get("loc") == ("body",) for each in error.errors()):
            return self._refuse(MalformedRequest("the body is empty; expected a JSON object"))
        return self._refuse(_as_invalid_request(error))

    def _refuse_path(self, _: NotFoundError) -> Response[str]:
        event = self.http.current_event
        return self._refuse(NotFound(f"no call {event.http_method} {event.path[:200]}; GET /openapi.json lists them"))

    def _fail(self, error: Exception) -> Response[str]:
        logger.exception("unexpected error", exc_info=error)
        detail = "something went wrong on our side; the request id finds it in the logs"
        return self._refuse(ModelmillError(detail))


def form_of(upload: Upload | None) -> dict[str, Any]:
    """The part of an answer that says how to upload."""
    return {"upload": {"url": upload.url, "fields": upload.fields}} if upload else {}


def no_content() -> Response[str]:
    """The answer where there is nothing to say."""
    return Response(204, body="")


def normalized(event: dict[str, Any]) -> dict[str, Any]:
    """The event with header names and media type in lower case (`sam local` keeps theirs) and the body as text.

    Raises:
        MalformedRequest: the body is not UTF-8.
    """
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
    if "content-type" in headers:
        headers["content-type"] = headers["content-type"].partition(";")[0].strip().lower()
    plain = {**event, "headers": headers}
    if event.get("isBase64Encoded"):
        try:
            plain |= {"body": base64.b64decode(event["body"]).decode(), "isBase64Encoded": False}
        except ValueError as error:
            raise MalformedRequest("the body is not text in UTF-8") from error
    return plain


def check_body(event: dict[str, Any]) -> None:
    """Pass when the body, where one is sent, can be JSON.

    Raises:
        UnsupportedMediaType, TooLarge.
    """
    if event["requestContext"]["http"]["method"] not in ("POST", "PUT"):
        return
    kind = event["headers"].get("content-type", "application/json")
    if kind != "application/json":
        raise UnsupportedMediaType(f"the body is {kind[:80]!r}; expected application/json")
    body = event.get("body") or ""
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"the body is {len(body)} bytes; at most {MAX_BODY_BYTES} are read")


def _refusal(error: ModelmillError, request_id: str) -> dict[str, Any]:
    body = json.dumps(problem(error, request_id))
    return {"statusCode": error.status, "headers": problem_headers(error), "body": body, "isBase64Encoded": False}


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise MalformedRequest(f"the body is not JSON: {error.msg} at character {error.pos}") from error
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(
            "the body is not JSON that can be read: it is nested too deep or has too long a number"
        ) from error


def _refuse_constant(constant: str) -> None:
    raise MalformedRequest(f"the body holds {constant}, which is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise MalformedRequest("the body names a field twice")
    return fields


def _as_invalid_request(error: RequestValidationError) -> InvalidRequest:
    found = [_field_error(each) for each in error.errors()[:MAX_FIELD_ERRORS]]
    named = "; ".join(f"{each.field}: {each.message}" for each in found[:5])
    return InvalidRequest(named or "the request does not fit the call", errors=tuple(found))


def _field_error(found: dict[str, Any]) -> FieldError:
    place = [str(part) for part in found.get("loc", ()) if part not in ("body", "query", "path")]
    message = "unknown field" if found.get("type") == "extra_forbidden" else str(found.get("msg", "is not valid"))
    given = found.get("input")
    if isinstance(given, str | int | float | bool) and found.get("type") != "extra_forbidden":
        message += f" (got {str(given)[:80]!r})"
    return FieldError(".".join(place) or "body", message)
