"""What type a column of text has: the narrowest that every one of its cells fits.

boolean     true or false, in any case
integer     fits 64 bits; a leading zero (00123) makes an identifier, not a number
number      decimal or scientific, `inf` and `infinity` (refused later, by name)
timestamp   ISO 8601 date, date and time, or month, which is its first day; without an offset it is UTC
category    everything else; the profile tells free text apart
"""

from itertools import batched
from typing import TYPE_CHECKING

from modelmill.datasets.table import Table, literal
from modelmill.datasets.values import ColumnType

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_INTEGER = r" *[+-]?(0|[1-9]\d*) *"
_NUMBER = r" *[+-]?(((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?|(?i:inf|infinity)) *"
_TIMESTAMP = r" *\d\d\d\d-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|[+-]\d\d(:?\d\d)?))?)?)? *"
_MOMENT = "CASE WHEN length(trim({0})) = 7 THEN trim({0}) || '-01' ELSE {0} END"

# In order of preference.
_FITS: tuple[tuple[ColumnType, str], ...] = (
    ("boolean", "lower(trim({0})) IN ('true', 'false')"),
    ("integer", f"regexp_full_match({{0}}, {literal(_INTEGER)}) AND TRY_CAST({{0}} AS BIGINT) IS NOT NULL"),
    ("number", f"regexp_full_match({{0}}, {literal(_NUMBER)})"),
    (
        "timestamp",
        f"regexp_full_match({{0}}, {literal(_TIMESTAMP)}) AND TRY_CAST({_MOMENT} AS TIMESTAMPTZ) IS NOT NULL",
    ),
)
_CASTS: dict[ColumnType, str] = {
    "boolean": "lower(trim({0})) = 'true'",
    "integer": "CAST({0} AS BIGINT)",
    "number": "CAST({0} AS DOUBLE)",
    "timestamp": f"CAST({_MOMENT} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'",
    "category": "{0}",
}
_SAMPLE_CELLS = 200_000
_BATCH_COLUMNS = 200


def infer_types(connection: "DuckDBPyConnection", table: Table) -> list[ColumnType]:
    """One type per column: the first rows rule most types out, the whole file is asked about the rest only."""
    fitting: dict[int, list[int]] = {}
    for batch in batched(_likely(connection, table).items(), _BATCH_COLUMNS):
        fitting |= _fitting(connection, table, dict(batch))
    # Only a column without a single cell fits them all.
    return [_FITS[fits[0]][0] if 0 < len(fits) < len(_FITS) else "category" for fits in fitting.values()]


def typed_cells(table: Table, types: list[ColumnType]) -> list[str]:
    """SQL for each cell in its type, a `table` of text given."""
    return [_CASTS[type_].format(cell) for cell, type_ in zip(table.cells, types, strict=True)]


def _likely(connection: "DuckDBPyConnection", table: Table) -> dict[int, list[int]]:
    """What each column fits in the first rows; asked of one long column, as every type of every column is tried."""
    everything = list(range(len(_FITS)))
    rows = max(_SAMPLE_CELLS // len(table.cells), 1)
    answers = connection.execute(
        f"""SELECT place, {_counts("cell", everything)} FROM (
            SELECT unnest(range({len(table.cells)})) AS place, unnest([{", ".join(table.cells)}]) AS cell
            FROM (SELECT * FROM {table.relation} LIMIT {rows}))
        GROUP BY place ORDER BY place"""
    ).fetchall()
    return {place: _full(everything, counted) for place, counted in answers}


def _fitting(connection: "DuckDBPyConnection", table: Table, likely: dict[int, list[int]]) -> dict[int, list[int]]:
    """What each column fits in all rows, of what is likely."""
    asked = {place: fits for place, fits in likely.items() if fits}
    if not asked:
        return likely
    counts = ", ".join(_counts(table.cells[place], fits) for place, fits in asked.items())
    [answers] = connection.execute(f"SELECT {counts} FROM {table.relation}").fetchall()
    found = {place: _full(fits, counted) for (place, fits), counted in zip(asked.items(), answers, strict=True)}
    return likely | found


def _counts(cell: str, fits: list[int]) -> str:
    """How many cells there are and how many fit; CASE, because each FILTER would copy every column once more."""
    fitting = [f"count(CASE WHEN {_FITS[fit][1].format(cell)} THEN 1 END)" for fit in fits]
    return f"[{', '.join([f'count({cell})', *fitting])}]"


def _full(fits: list[int], counted: list[int]) -> list[int]:
    present, *fitting = counted
    return [fit for fit, count in zip(fits, fitting, strict=True) if count == present]
