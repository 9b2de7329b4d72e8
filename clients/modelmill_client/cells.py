"""CSV cells as the values that a model's signature asks for, and values as cells that no spreadsheet runs."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from modelmill_client.errors import InvalidInput

# The server reads these as missing when a dataset is uploaded, and so does pandas.
MISSING = frozenset(
    [
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    ]
)

_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class CellError(InvalidInput):
    """A cell that is not what the signature says."""


def to_instance(row: Mapping[str, str], features: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The instance for a row of text; columns that the model does not know are left out.

    Raises:
        CellError: a cell does not hold what the model expects there.
    """
    return {feature["name"]: to_value(row[feature["name"]], feature) for feature in features}


def to_value(text: str, feature: Mapping[str, Any]) -> Any:
    """One cell's value; a cell that is empty, or says that it is missing, is None."""
    if text.strip() in MISSING:
        return None
    match feature["type"]:
        case "number" | "integer":
            return _number(text, feature)
        case "boolean":
            return _boolean(text, feature["name"])
        case _:
            return text if feature["type"] == "category" else text.strip()


def escape(value: object) -> object:
    """The value, with a ' before text that a spreadsheet would take for a formula (CSV injection); numbers stay."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS) and not _is_number(value):
        return "'" + value
    return value


def _number(text: str, feature: Mapping[str, Any]) -> int | float:
    try:
        value = float(text)
    except ValueError:
        raise CellError(f"column {feature['name']!r} has {text[:40]!r}, expected a number or nothing") from None
    if not math.isfinite(value):
        raise CellError(f"column {feature['name']!r} has {text[:40]!r}, expected a finite number or nothing")
    if feature["type"] == "integer" and value.is_integer():
        # Not through the float, which would round beyond 2**53.
        return int(text) if text.strip().lstrip("+-").isdecimal() else int(value)
    return value


def _boolean(text: str, name: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise CellError(f"column {name!r} has {text[:40]!r}, expected true, false or nothing")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
