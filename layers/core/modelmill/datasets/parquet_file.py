"""Parquet: the file says what its columns are; what a table cannot hold is refused."""

import re
from pathlib import Path

from modelmill.datasets.formats import ReadLimits
from modelmill.datasets.names import name_problems
from modelmill.datasets.schema import Problem, Rejected
from modelmill.datasets.table import Table, connect, identifier, literal
from modelmill.datasets.values import MISSING, ColumnType

_TYPES: dict[str, ColumnType] = {
    "BOOLEAN": "boolean",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL", "UBIGINT", "HUGEINT", "UHUGEINT"), "number"),
    **dict.fromkeys(("DATE", "TIMESTAMP"), "timestamp"),
    **dict.fromkeys(("VARCHAR", "ENUM", "UUID", "TIME"), "category"),
}
_MISSING = ", ".join(map(literal, MISSING))
_CELLS: dict[ColumnType, str] = {
    "boolean": "{0}",
    "integer": "CAST({0} AS BIGINT)",
    "number": "CASE WHEN isnan(CAST({0} AS DOUBLE)) THEN NULL ELSE CAST({0} AS DOUBLE) END",
    "timestamp": "CAST({0} AS TIMESTAMP)",
    "category": f"CASE WHEN CAST({{0}} AS VARCHAR) NOT IN ({_MISSING}) THEN CAST({{0}} AS VARCHAR) END",
}
_NESTED = ("STRUCT", "MAP", "UNION", "VARIANT", "JSON")


def open_parquet(path: Path, limits: ReadLimits, scratch: Path) -> Table:
    """The table in a Parquet file, in the types that it declares; an empty text is a missing cell.

    Raises:
        Rejected: every problem found, up to the limit.
        duckdb.Error: the file is damaged.
    """
    relation = f"read_parquet({literal(path)}, hive_partitioning = false)"
    schema = f"parquet_schema({literal(path)})"
    with connect([path], scratch, limits) as connection:
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        declared_names = [row[0] for row in connection.execute(f"SELECT name FROM {schema}").fetchall()]
        [(rows,)] = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()
    columns = {name: declared for name, declared, *_ in described}
    names = [name.strip() for name in columns]
    # DuckDB gives repeated names a number; below the root, a file without nesting has one entry per column.
    flat = [name.strip() for name in declared_names[1:]]
    types = {name: type_ for name, declared in columns.items() if (type_ := _type(declared))}
    problems = name_problems(flat if len(flat) == len(names) else names, limits)
    problems += [_refusal(name, declared) for name, declared in columns.items() if name not in types]
    if rows > limits.rows:
        problems.append(Problem("too_many_rows", f"the file has more than {limits.rows:,} rows"))
    if not rows:
        problems.append(Problem("no_rows", "the file has columns and no rows"))
    if problems:
        raise Rejected(tuple(problems[: limits.problems]))
    cells = [_CELLS[type_].format(identifier(name)) for name, type_ in types.items()]
    return Table(names, relation, cells, rows, lambda _column, _test: None, list(types.values()))


def _type(declared: str) -> ColumnType | None:
    return None if declared.endswith("]") else _TYPES.get(_base(declared))


def _base(declared: str) -> str:
    """DECIMAL of `DECIMAL(18,3)`, TIMESTAMP of `TIMESTAMP_NS` and of `TIMESTAMP WITH TIME ZONE`."""
    return re.split(r"[^A-Z]", declared, maxsplit=1)[0]


def _refusal(name: str, declared: str) -> Problem:
    shown = declared[:80]
    if declared.endswith("]") or _base(declared) in _NESTED:
        return Problem("nested_value", f"the column holds {shown}; a cell cannot hold several values", column=name)
    accepted = ", ".join(_TYPES)
    return Problem("unsupported_type", f"the column holds {shown}; accepted are {accepted}", column=name)
