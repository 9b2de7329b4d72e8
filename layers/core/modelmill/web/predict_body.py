"""The body of a predict call: size and shape are checked here, the instances by the model's decoder."""

import json
from typing import Any, NamedTuple

import orjson

from modelmill.errors import (
    FieldError,
    InvalidRequest,
    MalformedRequest,
    ModelmillError,
    TooLarge,
    UnsupportedMediaType,
)
from modelmill.ids import check_name
from modelmill.models.registry import LIVE
from modelmill.serving.choice import Choice
from modelmill.web.content_encoding import decoded

MAX_BODY_BYTES = 6_000_000
MAX_INSTANCES = 10_000

_JSON = "application/json"
# The whole body is then one instance, for the version that is live.
_PICTURES = ("image/jpeg", "image/png", "image/webp")
_FIELDS = frozenset({"instances", "version", "alias", "top_k", "thresholds"})
_CHOICE = frozenset({"top_k", "thresholds"})


class PredictBody(NamedTuple):
    """What to predict for, and with which version: an explicit one, or else the one that the alias names."""

    instances: list[Any]
    version: int | None
    alias: str
    choice: Choice | None


def read_predict_body(headers: dict[str, str], body: bytes) -> PredictBody:
    """The body of `POST /v1/models/{model}/predict`.

    Raises:
        UnsupportedMediaType, TooLarge, MalformedRequest, InvalidRequest, InvalidName.
    """
    content_type = headers.get("content-type", _JSON)
    if content_type != _JSON:
        form = content_type.partition(";")[0].strip().lower()
        if form not in (_JSON, *_PICTURES):
            forms = f"application/json, or a picture for a model of pictures as {', '.join(_PICTURES)}"
            raise UnsupportedMediaType(f"send the body as {forms}; not as {content_type[:80]!r}")
        if form in _PICTURES:
            return PredictBody([body], None, LIVE, None)
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"the body has {len(body)} bytes, at most {MAX_BODY_BYTES} are read; send fewer instances")
    if coding := headers.get("content-encoding"):
        body = decoded(coding, body, MAX_BODY_BYTES)
    data = _parse(body)
    if type(data) is not dict:
        raise InvalidRequest('the body must be a JSON object such as {"instances": [{"column": 1}]}')
    if not data.keys() <= _FIELDS:
        raise _unknown_fields(data)
    choice = None if _CHOICE.isdisjoint(data) else _choice(data)
    return PredictBody(_instances(data), _version(data), _alias(data), choice)


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _unreadable(body, error) from error


def _unreadable(body: bytes, error: orjson.JSONDecodeError) -> ModelmillError:
    """Bodies that only a lenient reader takes hold NaN, Infinity, numbers out of range or broken characters."""
    if not body:
        return MalformedRequest('the body is empty; send {"instances": […]}')
    try:
        json.loads(body.decode())
    except (ValueError, RecursionError):
        return MalformedRequest(f"the body is not JSON: {error}")
    return InvalidRequest(f"the body holds a value that JSON cannot carry: {error}")


def _unknown_fields(data: dict[str, Any]) -> InvalidRequest:
    unknown = sorted(data.keys() - _FIELDS)[:20]
    errors = tuple(FieldError(name[:80], "is not a field of this call") for name in unknown)
    return InvalidRequest(f"unknown fields; expected {', '.join(sorted(_FIELDS))}", errors=errors)


def _instances(data: dict[str, Any]) -> list[Any]:
    instances = data.get("instances")
    if type(instances) is not list or not instances:
        raise _invalid("instances", "must be a non-empty array of objects of columns, or of arrays of values")
    if len(instances) > MAX_INSTANCES:
        raise _invalid("instances", f"holds {len(instances)} instances; send at most {MAX_INSTANCES} at once")
    return instances


def _version(data: dict[str, Any]) -> int | None:
    version = data.get("version")
    if version is None:
        return None
    if type(version) is not int or not 1 <= version < 10**8:
        raise _invalid("version", "must be the number of a version, counted from 1")
    if data.get("alias") is not None:
        raise _invalid("alias", "cannot be given together with a version")
    return version


def _alias(data: dict[str, Any]) -> str:
    alias = data.get("alias")
    if alias is None:
        return LIVE
    if type(alias) is not str:
        raise _invalid("alias", "must be a string")
    return check_name(alias, "alias")


def _choice(data: dict[str, Any]) -> Choice | None:
    top_k, thresholds = data.get("top_k"), data.get("thresholds")
    if top_k is not None and (type(top_k) is not int or top_k < 1):
        raise _invalid("top_k", "must be the number of classes to tell, at least 1")
    if thresholds is not None and type(thresholds) is not dict:
        raise _invalid("thresholds", 'must be an object such as {"label": 0.3}')
    for label, limit in (thresholds or {}).items():
        if type(limit) not in (int, float) or not 0 < limit <= 1:
            raise _invalid(f"thresholds.{label[:80]}", "must be a number above 0, at most 1")
    return Choice(top_k, thresholds or {}) if top_k is not None or thresholds else None


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{field} {message}", errors=(FieldError(field, message),))
