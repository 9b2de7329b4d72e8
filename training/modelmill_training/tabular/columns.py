"""Which columns a model is given, and why the others are left out."""

import re
from collections.abc import Collection
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from modelmill.datasets.schema import Column, Schema
from modelmill.models.signature import CALENDAR_PARTS, Feature
from modelmill_training.data import Categories, Table, Values
from modelmill_training.failures import TrainingFailure

InputName = Literal["numeric", "categorical"]

FREE_TEXT = "free text"
ID_LIKE = "id-like"
CONSTANT = "constant"
ALL_MISSING = "all missing"

# With fewer rows, values that are all different say nothing about the column.
MIN_ROWS_FOR_IDS = 20
ID_SHARE = 0.95
ID_WORDS = frozenset(
    {"id", "ids", "uuid", "guid", "index", "idx", "key", "no", "nr", "row", "rowid", "rownum", "serial", "unnamed"}
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def offered_columns(schema: Schema, left_out: str | None, features: list[str] | None) -> list[Column]:
    """The columns to choose from, in file order; `left_out` is the target, or what would be one.

    Raises:
        TrainingFailure: a column does not exist.
    """
    named = [*([left_out] if left_out else []), *(features or [])]
    unknown = [name for name in named if schema.column(name) is None]
    if unknown:
        raise TrainingFailure("unknown_column", f"The dataset has no column {unknown[0]!r}.")
    return [
        column for column in schema.columns if column.name != left_out and (features is None or column.name in features)
    ]


def is_id_like(column: Column, values: Values) -> bool:
    """Nearly every value occurs once, and the type or the name says that the value itself means nothing."""
    if isinstance(values, Categories):
        return _mostly_distinct(values.codes[values.codes >= 0])
    if column.type == "integer" and _named_like_id(column.name):
        present = int(np.count_nonzero(~np.isnan(values.values)))
        # Counted in whole numbers: as doubles, long ids fall together.
        return present >= MIN_ROWS_FOR_IDS and column.distinct >= ID_SHARE * present
    return False


def choose_features(
    offered: list[Column], id_like: Collection[str], training: Table
) -> tuple[list[Feature], list[dict[str, str]]]:
    """The features in file order and what was dropped, judged on the training rows.

    Raises:
        TrainingFailure: nothing is left.
    """
    features: list[Feature] = []
    dropped: list[dict[str, str]] = []
    places: dict[InputName, int] = {"numeric": 0, "categorical": 0}
    for column in offered:
        reason = _reason_to_drop(column, column.name in id_like, training.columns[column.name])
        if reason:
            dropped.append({"column": column.name, "reason": reason})
            continue
        name: InputName = "categorical" if column.type == "category" else "numeric"
        features.append(Feature(column.name, column.type, name, places[name]))
        places[name] += features[-1].width
    if not features:
        reasons = "; ".join(f"{entry['column']!r}: {entry['reason']}" for entry in dropped)
        raise TrainingFailure("no_usable_columns", f"No column is left to learn from ({reasons or 'none was given'}).")
    return features, dropped


def _reason_to_drop(column: Column, id_like: bool, values: Values) -> str | None:
    if column.type == "text":
        return FREE_TEXT
    if id_like:
        return ID_LIKE
    if isinstance(values, Categories):
        distinct = np.unique(values.codes)
        return ALL_MISSING if distinct.max() < 0 else CONSTANT if len(distinct) == 1 else None
    main = values.values[:, CALENDAR_PARTS.index("epoch_days") if column.type == "timestamp" else 0]
    if np.all(np.isnan(main)):
        return ALL_MISSING
    return CONSTANT if np.nanmin(main) == np.nanmax(main) else None


def _mostly_distinct(used: NDArray[Any]) -> bool:
    return len(used) >= MIN_ROWS_FOR_IDS and len(np.unique(used)) >= ID_SHARE * len(used)


def _named_like_id(name: str) -> bool:
    return any(word.lower() in ID_WORDS for word in _WORD.findall(name))
