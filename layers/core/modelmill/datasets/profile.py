"""How the values of each column are distributed, from the typed Parquet file, in bounded memory.

Meant for one thread: sums of floating-point numbers and approximate quantiles depend on the order of the rows.
Quantiles are exact up to 100,000 rows and a t-digest's above.
"""

from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelmill.datasets.schema import QUANTILES, Column, ColumnType, Histogram, TopValue
from modelmill.datasets.table import identifier, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_TOP = 50
FEW_CATEGORIES = 50
MAX_CATEGORIES = 10_000
MAX_CATEGORY_CHARACTERS = 64

# Up to here values are counted one by one; DuckDB's estimate is off by some 13 % and schema.py promises 10,000.
_COUNTED_DISTINCT = 16_000
_EXACT_QUANTILE_ROWS = 100_000
_BATCH_CELLS = 2_000_000
_BINS = 20
_HUGE = 1e100
_VALUES = {"integer": "{0}", "number": "{0}", "timestamp": "epoch({0})"}
_ISO = "'%Y-%m-%dT%H:%M:%S.%fZ'"


@dataclass(frozen=True, slots=True)
class TypedFile:
    """A written data.parquet; "category" stands for text of any kind."""

    path: Path
    names: list[str]
    types: list[ColumnType]
    rows: int

    @property
    def relation(self) -> str:
        """As SQL."""
        return f"read_parquet({literal(self.path)}, hive_partitioning = false)"


def profile(connection: "DuckDBPyConnection", file: TypedFile) -> list[Column]:
    """The columns in file order, free text told apart from categories."""
    selected = ", ".join(_facts(name, type_) for name, type_ in zip(file.names, file.types, strict=True))
    [facts] = connection.execute(f"SELECT {selected} FROM {file.relation}").fetchall()
    spreads = _spreads(connection, file, dict(zip(file.names, facts, strict=True)))
    return [
        _column(connection, file, name, type_, fact) if name not in spreads else spreads[name]
        for name, type_, fact in zip(file.names, file.types, facts, strict=True)
    ]


def duplicate_rows(connection: "DuckDBPyConnection", file: TypedFile) -> int:
    """How many rows repeat an earlier one, by 64-bit hash: one false repeat in 300,000 files of 10 million rows."""
    columns = ", ".join(map(identifier, file.names))
    query = f"SELECT count(*) FROM (SELECT hash({columns}) AS row_hash FROM {file.relation} GROUP BY row_hash)"
    [(distinct,)] = connection.execute(query).fetchall()
    return file.rows - int(distinct)
