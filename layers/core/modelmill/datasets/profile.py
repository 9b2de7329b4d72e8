"""How the values of each column are distributed, from the typed Parquet file, in bounded memory."""

from dataclasses import dataclass, replace
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelmill.datasets.schema import Column, TopValue
from modelmill.datasets.spread import SAMPLED_VALUES, Spread
from modelmill.datasets.table import identifier, literal
from modelmill.datasets.values import ColumnType

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_TOP = 50
FEW_CATEGORIES = 50
MAX_CATEGORIES = 10_000
MAX_CATEGORY_CHARACTERS = 64

# Values are counted one by one up to here: DuckDB's estimate can be off by a third and 10,000 must be exact.
_COUNTED_DISTINCT = 16_000
_BATCH_CELLS = 2_500_000
_BATCH_COLUMNS = 50

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
    types = dict(zip(file.names, file.types, strict=True))
    facts = _ask(connection, file, {name: _FACTS[type_].format(identifier(name)) for name, type_ in types.items()})
    columns = {name: _column(connection, file, name, type_, facts[name]) for name, type_ in types.items()}
    spreads = {
        name: Spread(types[name], present, *ends)
        for name, (present, _, *ends) in facts.items()
        if present and types[name] in ("integer", "number", "timestamp")
    }
    found = _ask(connection, file, {name: spread.question(name) for name, spread in spreads.items()})
    described = {name: spread.describe(columns[name], *found[name]) for name, spread in spreads.items()}
    return list({**columns, **described}.values())


def _ask(connection: "DuckDBPyConnection", file: TypedFile, questions: dict[str, str]) -> dict[str, tuple[Any, ...]]:
    """The answers to some aggregates of each column, of as many columns at once as memory allows."""
    size = max(min(_BATCH_CELLS // min(file.rows, SAMPLED_VALUES), _BATCH_COLUMNS), 1)
    answers: dict[str, tuple[Any, ...]] = {}
    for batch in batched(questions.items(), size):
        rows = ", ".join(f"row({question})" for _, question in batch)
        [answer] = connection.execute(f"SELECT {rows} FROM {file.relation}").fetchall()
        answers.update(zip((name for name, _ in batch), answer, strict=True))
    return answers


def _column(
    connection: "DuckDBPyConnection", file: TypedFile, name: str, type_: ColumnType, facts: tuple[Any, ...]
) -> Column:
    """What holds for a column of any type, and all there is to say of words."""
    present, distinct, *lengths = facts
    top: list[TopValue] | None = None
    if present and distinct <= _COUNTED_DISTINCT:
        distinct, top = _frequent(connection, file, identifier(name))
    column = Column(name, type_, nulls=file.rows - present, distinct=min(distinct, present))
    if type_ == "category" and present:
        return _words(column, present, lengths, top)
    return replace(column, top=top) if type_ == "boolean" or distinct <= MAX_TOP else column


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
