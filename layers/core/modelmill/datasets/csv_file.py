"""CSV: Python's strict reader finds the structure and what is wrong with it; DuckDB gets the rows rewritten plainly.

Given files as people send them, DuckDB's own reader accepts some ragged rows, mistakes quotes after spaces and mixed
line ends, and may take a line break within quotes for the end of a row where its buffers or threads meet. None of
this happens to rows that Python's csv writer wrote, read in order; pieces of a file keep its memory small.
"""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from modelmill.datasets.formats import MAX_CELL_CHARACTERS, ReadLimits
from modelmill.datasets.names import name_problems
from modelmill.datasets.schema import Problem, Rejected
from modelmill.datasets.table import Table, literal
from modelmill.datasets.text import check_text
from modelmill.datasets.values import MISSING

if TYPE_CHECKING:
    from _csv import Reader

DELIMITERS = (",", ";", "\t", "|")

_SAMPLE_ROWS = 50
_PIECE_CHARACTERS = 16_000_000
_BUFFER_BYTES = 8_000_000


def open_csv(path: Path, limits: ReadLimits, scratch: Path) -> Table:
    """The table in a CSV file; the first line that is not empty is its header, empty lines are no rows.

    Raises:
        Rejected: every problem found, up to the limit.
    """
    check_text(path, limits)
    reading = _Reading(path, _delimiter(path), limits)
    pieces = _write_pieces(reading.rows(), scratch)
    problems = reading.problems
    if not problems and not pieces:
        problems = [Problem("no_rows", "the file has a header and no rows")]
    if reading.count > limits.rows:
        problems.append(Problem("too_many_rows", f"the file has more than {limits.rows:,} rows"))
    if problems:
        raise Rejected(tuple(problems[: limits.problems]))
    cells = _columns(len(reading.names))
    find = partial(_find, path, reading.delimiter)
    return Table(reading.names, _relation(pieces, cells), cells, reading.count, find)


class _Reading:
    """One pass over a file."""

    def __init__(self, path: Path, delimiter: str, limits: ReadLimits) -> None:
        self.path = path
        self.delimiter = delimiter
        self.limits = limits
        self.names: list[str] = []
        self.count = 0
        self.problems: list[Problem] = []

    def rows(self) -> Iterator[list[str]]:
        """The rows that fit the header; names, count and problems are known afterwards."""
        line = 1
        with _records(self.path, self.delimiter) as records:
            try:
                for row in records:
                    if row:
                        self._name(row, line)
                        break
                    line = records.line_num + 1
                width = len(self.names)
                line = records.line_num + 1
                for row in records if width <= self.limits.columns else ():
                    if len(row) == width:
                        self.count += 1
                        yield row
                    elif width == 1 and not row:
                        # In a single column an empty line is a missing cell.
                        self.count += 1
                        yield [""]
                    elif row:
                        self._ragged(row, line)
                    line = records.line_num + 1
            except csv.Error:
                self.problems.append(_broken(self.path, self.delimiter, line, records.line_num))

    def _name(self, header: list[str], line: int) -> None:
        self.names = [name.strip() for name in header]
        self.problems += name_problems(self.names, self.limits, line=line)

    def _ragged(self, row: list[str], line: int) -> None:
        if len(self.problems) < self.limits.problems:
            message = f"{len(row)} cell(s) in this row, {len(self.names)} in the header"
            self.problems.append(Problem("ragged_row", message, line=line))


def _columns(width: int) -> list[str]:
    """Names for DuckDB that need no care; they also keep a byte order mark in a cell from beginning a piece."""
    return [f"c{place}" for place in range(width)]


def _write_pieces(rows: Iterator[list[str]], scratch: Path) -> list[Path]:
    """The rows in files of about equal size."""
    pieces: list[Path] = []
    for first in rows:
        pieces.append(scratch / f"{len(pieces)}.csv")
        with pieces[-1].open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_columns(len(first)))
            size = writer.writerow(first)
            while size < _PIECE_CHARACTERS and (row := next(rows, None)) is not None:
                size += writer.writerow(row)
    return pieces


def _relation(pieces: list[Path], columns: list[str]) -> str:
    texts = ", ".join(f"{column}: 'VARCHAR'" for column in columns)
    return f"""read_csv([{", ".join(map(literal, pieces))}], columns = {{{texts}}}, auto_detect = false, header = true,
        delim = ',', quote = '"', escape = '"', comment = '', nullstr = [{", ".join(map(literal, MISSING))}],
        strict_mode = false, parallel = false, compression = 'none',
        buffer_size = {_BUFFER_BYTES}, max_line_size = {_BUFFER_BYTES // 2})"""


@contextmanager
def _records(path: Path, delimiter: str, *, strict: bool = True) -> "Iterator[Reader]":
    with path.open(encoding="utf-8-sig", newline="") as lines:
        yield csv.reader(lines, delimiter=delimiter, strict=strict)


def _delimiter(path: Path) -> str:
    """The delimiter that gives the header more than one cell and most of the first rows as many; else a comma."""

    def score(delimiter: str) -> tuple[float, int]:
        widths: list[int] = []
        with _records(path, delimiter, strict=False) as records, suppress(csv.Error):
            widths.extend(len(row) for row in islice(filter(None, records), _SAMPLE_ROWS))
        return (widths.count(widths[0]) / len(widths), widths[0]) if widths and widths[0] > 1 else (0.0, 0)

    return max(DELIMITERS, key=score)


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
    with _records(path, delimiter) as records:
        start = 1
        for number, row in enumerate(records):
            if number and row and test(row[column]):
                return start
            start = records.line_num + 1
    return None
