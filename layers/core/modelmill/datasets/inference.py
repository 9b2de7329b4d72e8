"""What type a column of text has: the narrowest that every one of its cells fits.

    boolean     true, false, or yes, no, in any case
    integer     fits 64 bits; a leading zero (00123) makes an identifier, not a number
    number      decimal or scientific, `inf` and `infinity` (refused later, by name)
    timestamp   ISO 8601 date or date and time; without an offset it is UTC
    category    everything else; the profile tells free text apart
"""

from typing import TYPE_CHECKING

from modelmill.datasets.schema import ColumnType
from modelmill.datasets.table import Table, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_INTEGER = r"[+-]?(0|[1-9]\d*)"
_NUMBER = r"[+-]?(((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?|(?i:inf|infinity))"
_TIMESTAMP = r"\d\d\d\d-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|[+-]\d\d(:?\d\d)?))?)?"

# In order of preference. {0} is a text without white space around it.
_FITS: tuple[tuple[ColumnType, str], ...] = (
    ("boolean", "lower({0}) IN ('true', 'false')"),
    ("boolean", "lower({0}) IN ('yes', 'no')"),
    ("integer", f"regexp_full_match({{0}}, {literal(_INTEGER)}) AND TRY_CAST({{0}} AS BIGINT) IS NOT NULL"),
    ("number", f"regexp_full_match({{0}}, {literal(_NUMBER)})"),
    ("timestamp", f"regexp_full_match({{0}}, {literal(_TIMESTAMP)}) AND TRY_CAST({{0}} AS TIMESTAMPTZ) IS NOT NULL"),
)
_CASTS: dict[ColumnType, str] = {
    "boolean": "lower(trim({0})) IN ('true', 'yes')",
    "integer": "CAST(trim({0}) AS BIGINT)",
    "number": "CAST(trim({0}) AS DOUBLE)",
    "timestamp": "CAST(trim({0}) AS TIMESTAMPTZ) AT TIME ZONE 'UTC'",
    "category": "{0}",
}
_SAMPLE_ROWS = 10_000


def infer_types(connection: "DuckDBPyConnection", table: Table) -> list[ColumnType]:
    """One type per column: the first rows rule most types out, the whole file is asked about the rest only."""
    everything = [list(range(len(_FITS)))] * len(table.cells)
    likely = _fitting(connection, table, everything, f"LIMIT {_SAMPLE_ROWS}")
    fitting = _fitting(connection, table, likely, "")
    # Only a column without a single cell fits them all.
    return [_FITS[fits[0]][0] if 0 < len(fits) < len(_FITS) else "category" for fits in fitting]


def typed_cells(table: Table, types: list[ColumnType]) -> list[str]:
    """SQL for each cell in its type, a `table` of text given."""
    return [_CASTS[type_].format(f"({cell})") for cell, type_ in zip(table.cells, types, strict=True)]


def _fitting(
    connection: "DuckDBPyConnection", table: Table, candidates: list[list[int]], limit: str
) -> list[list[int]]:
    """Which of its candidates each column fits with all of its cells."""
    asked = {f"c{place}": fits for place, fits in enumerate(candidates) if fits}
    if not asked:
        return candidates
    cells = ", ".join(f"trim({cell}) AS c{place}" for place, cell in enumerate(table.cells))
    counts = ", ".join(_counts(cell, fits) for cell, fits in asked.items())
    query = f"SELECT {counts} FROM (SELECT {cells} FROM {table.relation} {limit})"
    [answers] = connection.execute(query).fetchall()
    fitting = {
        cell: [fit for fit, count in zip(fits, counted, strict=True) if count == present]
        for (cell, fits), (present, *counted) in zip(asked.items(), answers, strict=True)
    }
    return [fitting.get(f"c{place}", []) for place in range(len(candidates))]


def _counts(cell: str, fits: list[int]) -> str:
    return f"[{', '.join([f'count({cell})', *(f'count(*) FILTER ({_FITS[fit][1].format(cell)})' for fit in fits)])}]"
