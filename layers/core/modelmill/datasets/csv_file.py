"""CSV: the delimiter, the header and the shape of every row, checked by Python's strict csv reader.

DuckDB reads the cells afterwards. It is not trusted with the structure: it accepts some ragged rows.
"""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from modelmill.datasets.formats import MAX_CELL_CHARACTERS, ReadLimits
from modelmill.datasets.names import name_problems
from modelmill.datasets.schema import Problem, Rejected
from modelmill.datasets.table import MISSING, Table, literal
from modelmill.datasets.text import check_text, chunks

if TYPE_CHECKING:
    from _csv import Reader

DELIMITERS = (",", ";", "\t", "|")

_SAMPLE_ROWS = 50
_BUFFER_BYTES = 8_000_000
# A header like this says nothing about how many cells a row should have.
_HOPELESS = ("too_many_columns", "unterminated_quote", "stray_quote")


@dataclass(frozen=True, slots=True)
class _Rows:
    """What lies below the header, and whether all lines of the file end alike."""

    count: int
    even: bool
    problems: list[Problem]


def open_csv(path: Path, limits: ReadLimits, scratch: Path) -> Table:
    """The table in a CSV file; the first line that is not empty is its header, empty lines are no rows.

    Raises:
        Rejected: every problem found, up to the limit.
    """
    check_text(path, limits)
    delimiter = _delimiter(path)
    names, skipped, problems = _header(path, delimiter, limits)
    rows = _Rows(0, True, [])
    if not problems or problems[0].code not in _HOPELESS:
        rows = _check_rows(path, delimiter, len(names), skipped, limits)
        problems += rows.problems
    if not problems and not rows.count:
        problems = [Problem("no_rows", "the file has a header and no rows")]
    if problems:
        raise Rejected(tuple(problems[: limits.problems]))
    readable = path
    if not rows.even or _spaced_quotes(path, delimiter):
        readable, skipped = _plain_copy(path, delimiter, len(names), skipped, scratch), 0
    cells = [f"c{place}" for place in range(len(names))]
    relation = _relation(readable, delimiter, cells, skipped)
    return Table(names, relation, cells, rows.count, partial(_find, path, delimiter))


def _relation(path: Path, delimiter: str, columns: list[str], skipped: int) -> str:
    return f"""read_csv({literal(path)}, auto_detect = false, header = true, skip = {skipped},
        delim = {literal(delimiter)}, quote = '"', escape = '"', comment = '', strict_mode = false,
        compression = 'none', nullstr = [{", ".join(map(literal, MISSING))}],
        parallel = false, buffer_size = {_BUFFER_BYTES}, max_line_size = {_BUFFER_BYTES // 2},
        columns = {{{", ".join(f"{column}: 'VARCHAR'" for column in columns)}}})"""


def _spaced_quotes(path: Path, delimiter: str) -> bool:
    """Whether a quote may follow white space at the start of a cell, where it is text, but not to DuckDB."""
    marks = [lead + b' "' for lead in (delimiter.encode(), b"\n", b"\r", b" ")]
    tail = b"\n"
    for chunk in chunks(path):
        window = tail + chunk
        if any(mark in window for mark in marks):
            return True
        tail = window[-2:]
    return False


def _plain_copy(path: Path, delimiter: str, width: int, skipped: int, scratch: Path) -> Path:
    """The same records as plainly as can be, for files in which DuckDB would see other cells."""
    copy = scratch / "plain.csv"
    with _records(path, delimiter) as (records, _), copy.open("w", encoding="utf-8", newline="") as file:
        below = islice(records, skipped, None)
        rows = (row or [""] for row in below) if width == 1 else filter(None, below)
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return copy


@contextmanager
def _records(path: Path, delimiter: str, *, strict: bool = True) -> "Iterator[tuple[Reader, TextIO]]":
    with path.open(encoding="utf-8-sig", newline="") as lines:
        yield csv.reader(lines, delimiter=delimiter, strict=strict), lines


def _delimiter(path: Path) -> str:
    """The delimiter that gives the header more than one cell and most of the first rows as many; else a comma."""

    def score(delimiter: str) -> tuple[float, int]:
        widths: list[int] = []
        with _records(path, delimiter, strict=False) as (records, _), suppress(csv.Error):
            widths.extend(len(row) for row in islice(filter(None, records), _SAMPLE_ROWS))
        return (widths.count(widths[0]) / len(widths), widths[0]) if widths and widths[0] > 1 else (0.0, 0)

    return max(DELIMITERS, key=score)


def _header(path: Path, delimiter: str, limits: ReadLimits) -> tuple[list[str], int, list[Problem]]:
    """The names, the number of empty lines before them, and what is wrong with them."""
    with _records(path, delimiter) as (records, _):
        start = 1
        try:
            for row in records:
                if row:
                    names = [name.strip() for name in row]
                    return names, start - 1, name_problems(names, limits, line=start)
                start = records.line_num + 1
        except csv.Error:
            return [], 0, [_broken(path, delimiter, start, records.line_num)]
    raise Rejected((Problem("empty_file", "the file has only empty lines"),))


def _check_rows(path: Path, delimiter: str, width: int, skipped: int, limits: ReadLimits) -> _Rows:
    problems: list[Problem] = []
    count = 0
    with _records(path, delimiter) as (records, lines):
        for _ in range(skipped + 1):
            next(records)
        start = records.line_num + 1
        try:
            for row in records:
                if len(row) == width or (width == 1 and not row):
                    count += 1
                elif row:
                    message = f"{len(row)} cell(s) in this row, {width} in the header"
                    problems.append(Problem("ragged_row", message, line=start))
                    if len(problems) == limits.problems:
                        break
                start = records.line_num + 1
        except csv.Error:
            problems.append(_broken(path, delimiter, start, records.line_num))
        even = not isinstance(lines.newlines, tuple)
    if count > limits.rows:
        problems.append(Problem("too_many_rows", f"the file has more than {limits.rows:,} rows"))
    return _Rows(count, even, problems)


def _broken(path: Path, delimiter: str, start: int, end: int) -> Problem:
    """Why the strict reader gave up between two lines: a quote that never ends, a stray one, or too long a cell."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        record = "".join(islice(lines, start - 1, end))
        closed_later = any('"' in line for line in lines)
    if len(record) > MAX_CELL_CHARACTERS and (closed_later or record.count('"') % 2 == 0):
        return Problem("cell_too_long", f"a cell has more than {MAX_CELL_CHARACTERS:,} characters", line=start)
    if end > start or record.count('"') % 2:
        message = "a quote that opens on this line is not closed where a cell ends"
        return Problem("unterminated_quote", message, line=start)
    message = f'a closing quote is followed by text instead of {delimiter!r}; inside quotes, write "" for a quote'
    return Problem("stray_quote", message, line=start)


def _find(path: Path, delimiter: str, column: int, test: Callable[[str], bool]) -> int | None:
    with _records(path, delimiter) as (records, _):
        start = 1
        for number, row in enumerate(records):
            if number and row and test(row[column]):
                return start
            start = records.line_num + 1
    return None
