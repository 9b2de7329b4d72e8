"""What is known of a ready dataset: its columns, their types and their distributions.

This is the content of `schema.json`, which lies beside `data.parquet` in the store. Training reads it too.
"""

from dataclasses import asdict, dataclass
from typing import Any

from modelmill.datasets.kinds import DatasetKind
from modelmill.datasets.values import ColumnType

SCHEMA_VERSION = 1

# How each type lies in data.parquet.
PARQUET_TYPES: dict[str, str] = {
    "number": "DOUBLE",
    "integer": "BIGINT",
    "category": "VARCHAR",
    "boolean": "BOOLEAN",
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "image": "BLOB",
}

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts[i]` values lie in `[edges[i], edges[i + 1])`, the last bin closed; timestamps are in epoch seconds."""

    edges: list[float]
    counts: list[int]


@dataclass(frozen=True, slots=True)
class TopValue:
    """One of the most frequent values, as text."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Column:
    """One column and its profile; what does not apply to the type is None.

    `distinct` counts non-null values and is approximate above 10,000. `min` and `max` are numbers, or ISO 8601
    strings for timestamps. `top` holds at most 50 values, most frequent first, for category, boolean and for
    integer or number columns of few distinct values. `lengths` (text) are characters.
    """

    name: str
    type: ColumnType
    nulls: int
    distinct: int
    min: float | str | None = None
    max: float | str | None = None
    mean: float | None = None
    stddev: float | None = None
    quantiles: dict[str, float] | None = None
    histogram: Histogram | None = None
    top: list[TopValue] | None = None
    lengths: dict[str, float] | None = None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Column":
        """The column that `to_dict` wrote."""
        histogram = data.get("histogram")
        top = data.get("top")
        return cls(
            **{
                **data,
                "histogram": Histogram(**histogram) if histogram else None,
                "top": [TopValue(**value) for value in top] if top is not None else None,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without what does not apply."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Schema:
    """A dataset's columns in file order, its number of rows and how many of them repeat an earlier one."""

    kind: DatasetKind
    rows: int
    duplicate_rows: int
    columns: list[Column]

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Schema":
        """The schema that `to_dict` wrote.

        Raises:
            ValueError: written by a newer version of modelmill.
        """
        if data["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {data['schema_version']}, this code reads {SCHEMA_VERSION}")
        columns = [Column.from_dict(column) for column in data["columns"]]
        return cls(data["kind"], data["rows"], data["duplicate_rows"], columns)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": self.kind,
            "rows": self.rows,
            "duplicate_rows": self.duplicate_rows,
            "columns": [column.to_dict() for column in self.columns],
        }


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an uploaded file; `line` counts from 1 and includes the header."""

    code: str
    message: str
    line: int | None = None
    column: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without what does not apply."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Rejected(Exception):
    """The file cannot become a dataset; `problems` says why."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems[0].message)
        self.problems = problems
