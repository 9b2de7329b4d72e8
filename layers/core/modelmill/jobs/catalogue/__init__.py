"""The algorithms that can be trained, as data: the API lists them, requests are checked and jobs run against them.

Adding an algorithm is one entry in the module of its kind of dataset and one builder in `modelmill_training`.
"""

from typing import Any

from modelmill.errors import FieldError, InvalidRequest
from modelmill.jobs.catalogue import image, tabular, text, timeseries, unsupervised
from modelmill.jobs.catalogue.entry import AUTO, Algorithm, search_spaces

__all__ = [
    "AUTO",
    "CATALOGUE",
    "CATALOGUE_VERSION",
    "Algorithm",
    "algorithms",
    "find",
    "resolve_hyperparameters",
    "search_spaces",
]

CATALOGUE_VERSION = 1

CATALOGUE: tuple[Algorithm, ...] = (
    *tabular.ENTRIES,
    *unsupervised.ENTRIES,
    *text.ENTRIES,
    *image.ENTRIES,
    *timeseries.ENTRIES,
)


def algorithms(kind: str) -> dict[str, Algorithm]:
    """What can be trained on a kind of dataset, by name."""
    return {entry.name: entry for entry in CATALOGUE if kind in entry.kinds}


def find(kind: str, name: str) -> Algorithm:
    """One entry.

    Raises:
        InvalidRequest: there is none of this name for this kind.
    """
    known = algorithms(kind)
    if name not in known:
        message = f"no algorithm {name[:80]!r} for {kind} data; expected one of {', '.join(known)}"
        raise InvalidRequest(message, errors=(FieldError("algorithm", message),))
    return known[name]


def resolve_hyperparameters(kind: str, algorithm: str, given: dict[str, Any]) -> dict[str, Any]:
    """All hyper-parameters of the algorithm: the given ones, and defaults for the rest.

    Raises:
        InvalidRequest: the algorithm is unknown, or a value breaks its schema; `errors` names each.
    """
    entry = find(kind, algorithm)
    errors = _violations(entry, given)
    if errors:
        detail = "; ".join(f"{error.field}: {error.message}" for error in errors)
        raise InvalidRequest(detail, errors=errors)
    return {
        name: _copied(_typed(schema, given.get(name, schema["default"])))
        for name, schema in entry.hyperparameters.items()
    }


def _violations(entry: Algorithm, given: dict[str, Any]) -> tuple[FieldError, ...]:
    import jsonschema

    errors = []
    for name, value in given.items():
        schema = entry.hyperparameters.get(name)
        if schema is None:
            known = ", ".join(entry.hyperparameters)
            errors.append(FieldError(f"hyperparameters.{name}"[:120], f"unknown; {entry.name} takes {known}"))
        elif value != value or not jsonschema.Draft202012Validator(schema).is_valid(value):
            # NaN, which differs from itself, lies outside of no range for JSON Schema.
            message = f"got {_shown(value)}, expected {expectation(schema)}"
            errors.append(FieldError(f"hyperparameters.{name}", message))
    return tuple(errors)


def expectation(schema: dict[str, Any]) -> str:
    """What a hyper-parameter's schema accepts, in words."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "enum" in schema:
        return "one of " + ", ".join("null" if value is None else repr(value) for value in schema["enum"])
    if "array" in types:
        return f"a list of at most {schema['maxItems']} items, each {expectation(schema['items'])}"
    if "boolean" in types:
        return "true or false"
    noun = "an integer" if "integer" in types else "a number"
    suffix = " or null" if "null" in types else ""
    return f"{noun} from {schema['minimum']} to {schema['maximum']}{suffix}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _typed(schema: dict[str, Any], value: Any) -> Any:
    if isinstance(value, list):
        return [_typed(schema["items"], item) for item in value]
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return int(value) if "integer" in types else float(value)


def _copied(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value
