"""Saying no to a file that came with a base model."""

import json
from typing import Any, NoReturn

from modelmill.datasets.schema import Problem, Rejected


def refuse(code: str, message: str) -> NoReturn:
    """Raise the one problem of a base model.

    Raises:
        Rejected: always.
    """
    raise Rejected((Problem(code, message),))


def read_object(name: str, content: bytes) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        Rejected: it holds something else, or a name twice.
    """
    try:
        found = json.loads(content, object_pairs_hook=_object, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        refuse("unreadable", f"{name} is not JSON in UTF-8: {str(error)[:200]}")
    if not isinstance(found, dict):
        refuse("unreadable", f"{name} holds {type(found).__name__}, expected a JSON object")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in an object")
    return found


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
