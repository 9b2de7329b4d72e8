"""The rows of a dataset as columns of numpy arrays."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill.datasets.schema import Schema
from modelmill.models.signature import CALENDAR_PARTS
from modelmill_training.failures import TrainingFailure

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Integers = NDArray[np.int64]

MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Numbers:
    """`values` [N, width], missing as NaN; width is more than 1 for the parts of a timestamp."""

    values: Floats

    def take(self, rows: Any) -> "Numbers":
        """Some rows."""
        return Numbers(self.values[rows])


@dataclass(frozen=True, slots=True)
class Categories:
    """`codes` [N] index `names`, missing as -1."""

    codes: Integers
    names: list[str]

    def take(self, rows: Any) -> "Categories":
        """Some rows."""
        return Categories(self.codes[rows], self.names)

    def strings(self) -> NDArray[np.object_]:
        """[N], missing as ""."""
        return np.array([*self.names, ""], dtype=object)[self.codes]


Values = Numbers | Categories


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length."""

    rows: int
    columns: dict[str, Values]

    def take(self, rows: Any) -> "Table":
        """Some rows, by index or mask."""
        taken = {name: values.take(rows) for name, values in self.columns.items()}
        count = int(np.count_nonzero(rows)) if rows.dtype == bool else len(rows)
        return Table(count, taken)


def read_schema(path: Path) -> Schema:
    """The dataset's schema."""
    return Schema.from_dict(json.loads(path.read_bytes()))


def read_arrow(path: Path, schema: Schema, names: Iterable[str]) -> Any:
    """Some columns as a pyarrow table, strings as dictionaries.

    Raises:
        TrainingFailure: the file is not what its schema says.
    """
    import pyarrow.parquet as pq  # so that a spec can be refused without it

    names = list(names)
    strings = [column.name for column in schema.columns if column.type in ("category", "text")]
    try:
        table = pq.read_table(path, columns=names, read_dictionary=[name for name in names if name in strings])
    except (OSError, ValueError) as error:
        raise TrainingFailure("unreadable_data", f"The dataset's rows cannot be read: {error}") from error
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise TrainingFailure("unreadable_data", f"The dataset's rows lack the columns {missing} of its schema.")
    return table


def decode_column(column: Any, kind: str) -> Values:
    """A pyarrow column of the given schema type as arrays."""
    if kind in ("category", "text"):
        return _categories(column)
    if kind == "timestamp":
        return Numbers(calendar(column.cast("timestamp[us]").to_numpy()))
    return Numbers(decode_numbers(column)[:, None])


def decode_numbers(column: Any) -> Floats:
    """[N] of a pyarrow column of numbers or booleans; missing and infinite are NaN."""
    values: Floats = column.cast("float64", safe=False).to_numpy().astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def calendar(moments: NDArray[np.datetime64]) -> Floats:
    """CALENDAR_PARTS [N, 6] of UTC moments, NaT as NaN."""
    micros = moments.astype("datetime64[us]")
    days = micros.astype("datetime64[D]")
    months = micros.astype("datetime64[M]")
    day_number = days.astype(np.int64)
    since_midnight = micros.astype(np.int64) - day_number * MICROSECONDS_PER_DAY
    parts = {
        "epoch_days": micros.astype(np.int64) / MICROSECONDS_PER_DAY,
        "year": micros.astype("datetime64[Y]").astype(np.int64) + 1970,
        "month": months.astype(np.int64) % 12 + 1,
        "day": (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
        "weekday": (day_number + 3) % 7,
        "hour": since_midnight // 3_600_000_000,
    }
    result = np.column_stack([parts[name] for name in CALENDAR_PARTS]).astype(np.float64)
    result[np.isnat(micros)] = np.nan
    return result


def _categories(column: Any) -> Categories:
    array = column.dictionary_encode() if str(column.type) in ("string", "large_string") else column
    array = array.unify_dictionaries().combine_chunks()
    names = [name or "" for name in array.dictionary.to_pylist()]
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    if "" in names:
        codes[codes == names.index("")] = -1
    return Categories(codes, names)
