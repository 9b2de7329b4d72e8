"""The column to be predicted: numbers for regression, classes for the rest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill.models.manifest import Task
from modelmill_training.data import Floats, Integers, decode_numbers
from modelmill_training.failures import TrainingFailure

MAX_CLASSES = 500
MIN_ROWS = 5


@dataclass(frozen=True, slots=True)
class Target:
    """`values` [N] are numbers, or indexes into `labels` for classification; `present` [all rows] says which rows
    of the dataset these are."""

    values: Floats | Integers
    labels: list[str] | None
    present: NDArray[np.bool_]

    @property
    def strata(self) -> Integers | None:
        """The classes, whose proportions a split keeps."""
        return None if self.labels is None else self.values.astype(np.int64)

    @property
    def rows(self) -> int:
        """Rows that have a target."""
        return len(self.values)


def decode_target(column: Any, kind: str, task: Task) -> Target:
    """The target from a pyarrow column of the given schema type.

    Raises:
        TrainingFailure: the column does not fit the task, or nothing can be learned from it.
    """
    target = _numbers(column, kind) if task == "regression" else _classes(column, kind)
    if target.rows < MIN_ROWS:
        raise TrainingFailure(
            "too_few_rows", f"Got {target.rows} rows with a target, expected at least {MIN_ROWS}: add rows."
        )
    if task == "regression" and np.ptp(target.values) == 0:
        raise TrainingFailure("constant_target", f"The target is {target.values[0]:g} in every row.")
    if target.labels is not None:
        _check_classes(target.labels, task)
    return target


def no_target(rows: int) -> Target:
    """Of a table whose rows all count and predict nothing.

    Raises:
        TrainingFailure: there are too few.
    """
    if rows < MIN_ROWS:
        raise TrainingFailure("too_few_rows", f"Got {rows} rows, expected at least {MIN_ROWS}: add rows.")
    return Target(np.zeros(rows), None, np.ones(rows, dtype=bool))


def label_of(value: object) -> str:
    """How a class is written: booleans as in JSON, whole numbers without a fraction."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _numbers(column: Any, kind: str) -> Target:
    if kind not in ("number", "integer", "boolean"):
        raise TrainingFailure(
            "target_not_numeric", f"Got a target of type {kind}, expected numbers for the task regression."
        )
    numbers = decode_numbers(column)
    present = ~np.isnan(numbers)
    return Target(numbers[present], None, present)


def _classes(column: Any, kind: str) -> Target:
    if kind == "timestamp":
        raise TrainingFailure("target_not_classes", "Got a target of type timestamp, expected classes.")
    encoded = column if kind in ("category", "text") else column.dictionary_encode()
    encoded = encoded.unify_dictionaries().combine_chunks()
    values = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    usable = sorted(value for value in values if value not in ("", None) and value == value)
    places = {value: place for place, value in enumerate(usable)}
    lookup = np.array([*(places.get(value, -1) for value in values), -1], dtype=np.int64)[codes]
    present = lookup >= 0
    return Target(lookup[present], [label_of(value) for value in usable], present)


def _check_classes(labels: list[str], task: Task) -> None:
    if len(labels) < 2:
        raise TrainingFailure("constant_target", f"The target is {labels[0]!r} in every row.")
    if len(labels) > MAX_CLASSES:
        raise TrainingFailure(
            "too_many_classes", f"Got {len(labels)} classes in the target, expected at most {MAX_CLASSES}."
        )
    if task == "binary" and len(labels) != 2:
        raise TrainingFailure(
            "task_mismatch", f"Got {len(labels)} classes in the target, expected 2: ask for the task multiclass."
        )
