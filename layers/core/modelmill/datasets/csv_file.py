"""CSV: Python's strict csv reader finds the structure and every mistake in it; DuckDB gets the rows rewritten plainly.

DuckDB's own reader, given such files as people send, accepts some ragged rows, mistakes quotes after spaces and mixed
line ends, and may take a line break within quotes for the end of a row where its buffers or threads meet. None of
this happens with rows that Python's csv writer wrote, read in order; pieces of a file keep its memory small.
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
_PIECE_CHARACTERS = 16_000_000
_BUFFER_BYTES = 8_000_000
# A header like this says nothing about how many cells a row should have.
_HOPELESS = ("too_many_columns", "unterminated_quote", "stray_quote")


@dataclass(frozen=True, slots=True)
class _Header:
    """The names, the number of lines up to and including theirs, and what is wrong with them."""

    names: list[str]
    lines: int
    problems: list[Problem]


def open_csv(path: Path, limits: ReadLimits, scratch: Path) -> Table:
    """The table in a CSV file; the first line that is not empty is its header, empty lines are no rows.

    Raises:
        Rejected: every problem found, up to the limit.
    """
    check_text(path, limits)
    delimiter = _delimiter(path)
    header = _header(path, delimiter, limits)
    problems, pieces, count = header.problems, [], 0
    if not problems or problems[0].code not in _HOPELESS:
    ...


def _relation(pieces: list[Path], columns: list[str]) -> str:
    return f"""read_csv([{", ".join(map(literal, pieces))}], auto_detect = false, header = false, delim = ',',
        quote = '"', escape = '"', comment = '', compression = 'none', nullstr = [{", ".join(map(literal, MISSING))}],
        parallel = false, buffer_size = {_BUFFER_BYTES}, max_line_size = {_BUFFER_BYTES // 2},
        columns = {{{", ".join(f"{column}: 'VARCHAR'" for column in columns)}}})"""


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
