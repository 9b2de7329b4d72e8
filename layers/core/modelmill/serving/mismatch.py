"""What exactly is wrong with instances that a decoder refused; slow and thorough, since nothing was computed."""

from collections.abc import Iterator
from typing import Any

from modelmill.errors import FieldError, SignatureMismatch
from modelmill.models.signature import Feature, Signature
from modelmill.serving.calendar_parts import calendar_parts

MAX_ERRORS = 20
MAX_NAME = 80
MAX_EXPECTED = 4000

_JSON_NAMES: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
    bytes: "a picture",
}

_EXPECTED: dict[str, tuple[tuple[type, ...], str]] = {
    "number": ((int, float), "a number"),
    "integer": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "timestamp": ((str,), "an ISO 8601 timestamp such as '2026-11-23T01:02:03Z'"),
    "category": ((str,), "a string"),
}


def mismatch(instances: list[Any], signature: Signature) -> SignatureMismatch:
    """The error for the first instance that does not fit, with all its columns."""
    form = type(instances[0])
    for number, instance in enumerate(instances):
        errors = tuple(_take(_problems(f"instances[{number}]", instance, form, signature.features)))
        if errors:
            named = "; ".join(f"{error.field} {error.message}" for error in errors[:3])
            return SignatureMismatch(f"{named}. Expected columns: {expected_columns(signature)}", errors=errors)
    return SignatureMismatch(f"expected columns: {expected_columns(signature)}")


def expected_columns(signature: Signature) -> str:
    """The columns and their types in signature order, cut where there are very many."""
    text = ""
    for number, feature in enumerate(signature.features):
        text += f"{', ' if text else ''}{short(feature.name)} ({feature.type})"
        if len(text) > MAX_EXPECTED:
            return f"{text} and {len(signature.features) - number - 1} more"
    return text


def _take(errors: Iterator[FieldError]) -> Iterator[FieldError]:
    for _, error in zip(range(MAX_ERRORS), errors, strict=False):
        yield error


def _problems(where: str, instance: Any, form: type, features: list[Feature]) -> Iterator[FieldError]:
    if isinstance(instance, dict) and form is dict:
        yield from _problems_of_object(where, instance, features)
    elif isinstance(instance, list) and form is list:
        yield from _problems_of_array(where, instance, features)
    elif form in (dict, list):
        yield FieldError(where, f"must be {_JSON_NAMES[form]} like the first instance, got {json_name(instance)}")
    else:
        yield FieldError(where, f"must be an object of columns or an array of values, got {json_name(instance)}")


def _problems_of_object(where: str, instance: dict[str, Any], features: list[Feature]) -> Iterator[FieldError]:
    for feature in features:
        field = f"{where}.{short(feature.name)}"
        if feature.name not in instance:
            yield FieldError(field, f"is missing; give {_EXPECTED[feature.type][1]} or null")
        elif message := _problem_of_value(instance[feature.name], feature):
            yield FieldError(field, message)
    known = {feature.name for feature in features}
    for name in instance:
        if name not in known:
            yield FieldError(f"{where}.{short(name)}", "is not a column of this model; leave it out")


def _problems_of_array(where: str, instance: list[Any], features: list[Feature]) -> Iterator[FieldError]:
    if len(instance) != len(features):
        yield FieldError(where, f"has {len(instance)} values; expected {len(features)} in signature order")
        return
    for feature, value in zip(features, instance, strict=True):
        if message := _problem_of_value(value, feature):
            yield FieldError(f"{where}.{short(feature.name)}", message)


def _problem_of_value(value: Any, feature: Feature) -> str | None:
    types, expected = _EXPECTED[feature.type]
    if value is None:
        return None
    if type(value) not in types:
        return f"must be {expected} or null, got {json_name(value)}"
    if feature.type == "timestamp" and not _is_timestamp(value):
        return f"must be {expected} or null, got {short(value)!r}"
    return None


def _is_timestamp(text: str) -> bool:
    try:
        calendar_parts(text)
    except ValueError:
        return False
    return True


def json_name(value: Any) -> str:
    """What a JSON value is, with its article."""
    return _JSON_NAMES.get(type(value), "something else")


def short(text: str) -> str:
    """A name, cut."""
    return text if len(text) <= MAX_NAME else text[:MAX_NAME] + "…"
