"""Rows to predict, read one by one from CSV, JSON lines or JSON text."""

import csv
import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from modelmill_client.cells import CellError
from modelmill_client.cli.columns import Columns
from modelmill_client.errors import InvalidInput

_STDIN = Path("-")
_DELIMITERS = (",", ";", "\t", "|")


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """A text file, or stdin for `-`, in UTF-8."""
    file = _stdin() if path == _STDIN else _file(path)
    try:
        yield file
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not CSV or JSON lines in UTF-8: {error}") from error
    finally:
        if file is not sys.stdin:
            file.close()


def size_of(file: TextIO) -> int | None:
    """The bytes in a file; None for a pipe."""
    try:
        status = os.fstat(file.fileno())
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def position_in(file: TextIO) -> int:
    """How many bytes of a file have been read, a little ahead of the text; 0 of a pipe."""
    return file.buffer.tell() if size_of(file) is not None else 0


class CsvRows:
    """The rows of a CSV file whose columns are what a model takes."""

    def __init__(self, file: TextIO, columns: Columns) -> None:
        self.header, self._delimiter, self._header_line = _read_header(file, columns)
        columns.check(self.header)
        self.unused = columns.unused(self.header)
        self._columns = columns
        self._file = file

    def __iter__(self) -> Iterator[tuple[list[str], Any]]:
        """Each row's cells and the instance made from them."""
        reader = csv.reader(self._file, delimiter=self._delimiter, strict=True, skipinitialspace=True)
        try:
            for cells in reader:
                if cells:
                    yield cells, self._instance(cells, self._header_line + reader.line_num)
        except csv.Error as error:
            raise InvalidInput(f"line {self._header_line + reader.line_num} is not CSV: {error}") from error

    def _instance(self, cells: list[str], line: int) -> Any:
        if len(cells) != len(self.header):
            raise InvalidInput(f"line {line} has {len(cells)} cells, expected {len(self.header)} as in the header")
        try:
            return self._columns.instance(self.header, cells)
        except CellError as error:
            raise InvalidInput(f"line {line}: {error}") from error


def json_lines(file: TextIO) -> Iterator[Any]:
    """The instance in each line that is not empty."""
    for number, line in enumerate(file, start=1):
        if line.strip():
            yield _instance(_parse(line, f"line {number}"), f"line {number}")


def json_text(text: str) -> list[Any]:
    """The instances in JSON text: one, a list of them, or `{"instances": […]}`; a list of plain values is one."""
    value = _parse(sys.stdin.read() if text == "-" else text, "--json")
    if isinstance(value, dict) and set(value) == {"instances"}:
        value = value["instances"]
    elif isinstance(value, list) and value and not isinstance(value[0], dict | list):
        value = [value]
    return [_instance(item, "--json") for item in (value if isinstance(value, list) else [value])]


def _file(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from error


def _stdin() -> TextIO:
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig", newline="")
    return sys.stdin


def _read_header(file: TextIO, columns: Columns) -> tuple[list[str], str, int]:
    """The header, split at the delimiter that makes it fit, the delimiter, and the number of the header's last line."""
    number = 1
    while (line := file.readline()) and not line.strip():
        number += 1
    while line.count('"') % 2 and (more := file.readline()):
        line += more
        number += 1
    for delimiter in _DELIMITERS:
        header = _cells(line, delimiter)
        if columns.fit(header):
            return header, delimiter, number
    return _cells(line, ","), ",", number


def _cells(line: str, delimiter: str) -> list[str]:
    return [
        cell.strip()
        for cell in next(csv.reader(line.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True), [])
    ]


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{where} got {text.strip()[:60]!r}, expected JSON: {error}") from error


def _instance(value: Any, where: str) -> Any:
    if value is None:
        raise InvalidInput(f"{where} has null, expected an object of columns or inputs, or a list of values")
    return value
