"""How the values of each column are distributed, from the typed Parquet file, in bounded memory.

Meant for one thread: sums of floating-point numbers and approximate quantiles depend on the order of the rows.
Quantiles are exact up to 100,000 rows and a t-digest's above.
"""

from dataclasses import dataclass
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

# Values are counted one by one up to here: DuckDB's estimate can be off by a third and 10,000 must be exact.
_COUNTED_DISTINCT = 16_000
_EXACT_QUANTILE_ROWS = 100_000
_BINS = 20
# Above this, squares overflow: computed on values divided by the largest one.
_HUGE = 1e100

_NUMERIC = "'min': min({0}), 'max': max({0}), 'low': min({1})::DOUBLE, 'high': max({1})::DOUBLE"
_ISO = "strftime({1}({0}), '%Y-%m-%dT%H:%M:%S.%fZ')"


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


def duplicate_rows(connection: "DuckDBPyConnection", file: TypedFile) -> int:
    """How many rows repeat an earlier one, by 64-bit hash: one false repeat in 300,000 files of 10 million rows."""
    columns = ", ".join(map(identifier, file.names))
    query = f"SELECT count(*) FROM (SELECT hash({columns}) AS row_hash FROM {file.relation} GROUP BY row_hash)"
    [(distinct,)] = connection.execute(query).fetchall()
    return file.rows - int(distinct)


def profile(connection: "DuckDBPyConnection", file: TypedFile) -> list[Column]:
    """The columns in file order, free text told apart from categories."""
    return [_Profiler(connection, file, name, type_).column() for name, type_ in zip(file.names, file.types, strict=True)]


@dataclass(frozen=True, slots=True)
class _Profiler:
    connection: "DuckDBPyConnection"
    file: TypedFile
    name: str
    type: ColumnType

    def column(self) -> Column:
        ...
