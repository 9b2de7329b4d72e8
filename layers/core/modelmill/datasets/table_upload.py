"""From an uploaded file to data.parquet and its schema, or to the list of everything that is wrong with it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from modelmill.datasets.csv_file import open_csv
from modelmill.datasets.formats import MAX_CELL_CHARACTERS, ReadLimits, check_content
from modelmill.datasets.inference import infer_types, typed_cells
from modelmill.datasets.jsonl_file import open_jsonl
from modelmill.datasets.parquet_file import open_parquet
from modelmill.datasets.profile import TypedFile, duplicate_rows, profile
from modelmill.datasets.schema import PARQUET_TYPES, Problem, Rejected, Schema
from modelmill.datasets.table import Table, connect, identifier, literal
from modelmill.datasets.values import ColumnType

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_OPENERS = {"csv": open_csv, "jsonl": open_jsonl, "parquet": open_parquet}
_GROUP_BYTES = 16_000_000
_GROUP_ROWS = (2_048, 122_880)
_INFINITE = "count(CASE WHEN isinf({0}) THEN 1 END)"
_TOO_LONG = f"count(CASE WHEN length({{0}}) > {MAX_CELL_CHARACTERS} THEN 1 END)"


def read_table(source: Path, form: str, parquet: Path, limits: ReadLimits | None = None) -> Schema:
    """Check a file of one of the formats csv, jsonl, parquet; write it to `parquet` in typed columns; profile it.

    The result depends on the file alone. Memory stays within `limits` whatever the file's size, and nothing is
    left at `parquet` unless a schema is returned.

    Raises:
        Rejected: with every problem found, up to the limit.
    """
    limits = limits or ReadLimits()
    try:
        check_content(source, form)
        with TemporaryDirectory(prefix="modelmill-", dir=limits.temp) as folder, _told(form):
            table = _OPENERS[form](source, limits, Path(folder))
            with connect([source, parquet], Path(folder), limits, len(table.names)) as connection:
                file = _write(connection, table, parquet, source.stat().st_size)
                _check_cells(connection, table, file, limits)
                columns = profile(connection, file)
            # Counting takes what it may: with less memory it spills to disk instead of growing with the file.
            with connect([parquet], Path(folder), limits, len(table.names), share=0.4) as connection:
                return Schema("tabular", file.rows, duplicate_rows(connection, file), columns)
    except BaseException:
        parquet.unlink(missing_ok=True)
        raise


def _write(connection: "DuckDBPyConnection", table: Table, parquet: Path, size: int) -> TypedFile:
    """Write the table in row groups of bounded size, however wide its rows are."""
    types, cells = table.types, table.cells
    if types is None:
        types = infer_types(connection, table)
        cells = typed_cells(table, types)
    columns = ", ".join(
        f"CAST({cell} AS {PARQUET_TYPES[type_]}) AS {identifier(name)}"
        for cell, type_, name in zip(cells, types, table.names, strict=True)
    )
    row_bytes = max(size // table.rows, 8 * len(table.names))
    rows = min(max(_GROUP_BYTES // row_bytes, _GROUP_ROWS[0]), _GROUP_ROWS[1])
    [(written,)] = connection.execute(
        f"""COPY (SELECT {columns} FROM {table.relation}) TO {literal(parquet)}
        (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false, ROW_GROUP_SIZE {rows})"""
    ).fetchall()
    if written != table.rows:
        raise Rejected((_unreadable(f"{table.rows:,} rows were counted and {written:,} were read"),))
    return TypedFile(parquet, table.names, types, table.rows)


def _check_cells(connection: "DuckDBPyConnection", table: Table, file: TypedFile, limits: ReadLimits) -> None:
    """Refuse infinite numbers and dates, and texts of a length that only Parquet files can still have here."""
    tests = {
        place: (_INFINITE if type_ in ("number", "timestamp") else _TOO_LONG).format(identifier(name))
        for place, (name, type_) in enumerate(zip(file.names, file.types, strict=True))
        if type_ in ("number", "timestamp", "category")
    }
    if not tests:
        return
    [counts] = connection.execute(f"SELECT {', '.join(tests.values())} FROM {file.relation}").fetchall()
    found = [(place, count) for place, count in zip(tests, counts, strict=True) if count]
    problems = [_bad_cells(table, file.types[place], place, count) for place, count in found[: limits.problems]]
    if problems:
        raise Rejected(tuple(problems))


def _bad_cells(table: Table, type_: ColumnType, place: int, count: int) -> Problem:
    name = table.names[place]
    if type_ == "category":
        message = f"{count:,} cell(s) of more than {MAX_CELL_CHARACTERS:,} characters"
        return Problem("cell_too_long", message, column=name)
    message = f"{count:,} cell(s) infinite or beyond a 64-bit number; leave such a cell empty"
    return Problem("infinite_value", message, line=table.find(place, _is_infinite), column=name)


def _is_infinite(text: str) -> bool:
    try:
        return math.isinf(float(text))
    except ValueError:
        return False


def _unreadable(detail: str) -> Problem:
    return Problem("unreadable", f"the file is damaged: {detail}")


@contextmanager
def _told(form: str) -> Iterator[None]:
    """What DuckDB says of a file as a problem; its own words hold paths and SQL."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise Rejected(
            (Problem("too_complex", "reading the file takes too much memory: its rows are too large"),)
        ) from error
    except duckdb.Error as error:
        # Reading text, an I/O error is the disk's; reading Parquet, it may as well be a damaged page's.
        if form != "parquet" and isinstance(error, duckdb.IOException):
            raise
        raise Rejected((_unreadable(f"it cannot be read as {form}"),)) from error
