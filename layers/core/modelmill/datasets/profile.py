"""How the values of each column are distributed, from the typed Parquet file, in bounded memory.

Quantiles are exact up to 250,000 rows; above, they are those of about as many rows, always the same ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
_QUANTILE_ROWS = 250_000
_BINS = 20
# Above this, squares overflow: computed on values divided by the largest one.
_HUGE = 1e100

_ISO = "strftime({0}, '%Y-%m-%dT%H:%M:%S.%fZ')"
_FACTS: dict[ColumnType, str] = {
    "boolean": "count({0}), approx_count_distinct({0})",
    "category": "count({0}), approx_count_distinct({0}), min(length({0})), avg(length({0})), max(length({0}))",
    "integer": "count({0}), approx_count_distinct({0}), min({0}), max({0}), min({0})::DOUBLE, max({0})::DOUBLE",
    "number": "count({0}), approx_count_distinct({0}), min({0}), max({0}), min({0}), max({0})",
    "timestamp": "count({0}), approx_count_distinct({0}), "
    f"{_ISO.format('min({0})')}, {_ISO.format('max({0})')}, epoch(min({{0}})), epoch(max({{0}}))",
}


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
    return [_column(connection, file, *column) for column in zip(file.names, file.types, strict=True)]


def _column(connection: "DuckDBPyConnection", file: TypedFile, name: str, type_: ColumnType) -> Column:
    cell = identifier(name)
    present, distinct, *facts = _ask(connection, file, _FACTS[type_].format(cell))
    top = None
    if present and distinct <= _COUNTED_DISTINCT:
        distinct, top = _frequent(connection, file, cell)
    column = Column(name, type_, nulls=file.rows - present, distinct=min(distinct, present))
    if not present:
        return column
    if type_ == "category":
        return _words(column, present, facts, top)
    if type_ == "boolean" or distinct <= MAX_TOP:
        column = replace(column, top=top)
    return column if type_ == "boolean" else _numbers(connection, file, column, facts)


def _ask(connection: "DuckDBPyConnection", file: TypedFile, select: str, values: Sequence[object] = ()) -> list[Any]:
    [row] = connection.execute(f"SELECT {select} FROM {file.relation}", values).fetchall()
    return list(row)


def _frequent(connection: "DuckDBPyConnection", file: TypedFile, cell: str) -> tuple[int, list[TopValue]]:
    """The number of distinct values and the most frequent ones."""
    rows = connection.execute(
        f"""SELECT CAST({cell} AS VARCHAR), count(*) AS repeats, count(*) OVER () FROM {file.relation}
        WHERE {cell} IS NOT NULL GROUP BY {cell} ORDER BY repeats DESC, {cell} LIMIT {MAX_TOP}"""
    ).fetchall()
    return rows[0][2], [TopValue(value, count) for value, count, _ in rows]


def _words(column: Column, present: int, lengths: list[float], top: list[TopValue] | None) -> Column:
    few = column.distinct <= max(FEW_CATEGORIES, min(present // 2, MAX_CATEGORIES))
    if few and lengths[1] <= MAX_CATEGORY_CHARACTERS:
        return replace(column, top=top)
    return replace(column, type="text", lengths=dict(zip(("min", "mean", "max"), lengths, strict=True)))


def _numbers(connection: "DuckDBPyConnection", file: TypedFile, column: Column, facts: list[Any]) -> Column:
    least, most, low, high = facts
    largest = max(abs(low), abs(high))
    scale = largest if largest > _HUGE else 1.0
    edges = _edges(low / scale, high / scale, whole=column.type == "integer")
    cell = identifier(column.name)
    value = f"CAST({f'epoch({cell})' if column.type == 'timestamp' else cell} AS DOUBLE) / $1"
    sampled = f"hash(file_row_number) % {-(-file.rows // _QUANTILE_ROWS)} = 0"
    quantiles = f"quantile_cont({value}, {list(QUANTILES)}) FILTER (WHERE {sampled})"
    mean, stddev, cuts, bins = _ask(
        connection,
        file,
        f"favg({value}), stddev_samp({value}), {quantiles}, histogram(-({value}), $2)",
        (scale, [-edge for edge in reversed(edges)]),
    )
    column = replace(
        column,
        min=least,
        max=most,
        quantiles={str(share): cut * scale for share, cut in zip(QUANTILES, cuts, strict=True)},
        histogram=Histogram([edge * scale for edge in edges], _counts(edges, bins)),
    )
    if column.type == "timestamp":
        return replace(column, min=least.replace(".000000", ""), max=most.replace(".000000", ""))
    return replace(column, mean=mean * scale, stddev=None if stddev is None else stddev * scale)


def _edges(low: float, high: float, *, whole: bool) -> list[float]:
    """Bins of one each for a few whole numbers, else of equal width; a single edge twice when there is one value."""
    if low == high:
        return [low, high]
    if whole and high - low < _BINS:
        return [low + step for step in range(int(high - low) + 2)]
    inner = {low + (high - low) * step / _BINS for step in range(1, _BINS)}
    return [low, *sorted(inner - {low, high}), high]


def _counts(edges: list[float], bins: dict[float, int]) -> list[int]:
    """Counts per bin. DuckDB's bins are open on the left, so it was given the negated values."""
    counts = [bins[-edge] for edge in edges[:-1]]
    if edges[0] != edges[-1]:
        counts[-1] += bins[-edges[-1]]
    return counts
