"""Rows to predict, read one by one from CSV, JSON lines or JSON text."""

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from modelmill_client.cells import CellError, to_instance
from modelmill_client.errors import InvalidInput

_STDIN = Path("-")
_DELIMITERS = (",", ";", "\t", "|")


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """A text file, or stdin for `-`."""
    if path == _STDIN:
        yield sys.stdin
        return
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from error
    with file:
        try:
            yield file
        except (csv.Error, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path} is not CSV or JSON lines in UTF-8: {error}") from error


class CsvRows:
    """The rows of a CSV file that has at least the columns of a model's signature, in any order."""

    def __init__(self, file: TextIO, features: Sequence[Mapping[str, Any]]) -> None:
        names = {feature["name"] for feature in features}
        self._features = features
        self.columns, self._delimiter, self._header_line = _read_header(file, names)
        missing = sorted(names - set(self.columns))
        if missing:
            raise InvalidInput(
                f"the CSV lacks {_listed(missing)}, expected all of {_listed(feature['name'] for feature in features)}"
            )
        repeated = [feature["name"] for feature in features if self.columns.count(feature["name"]) > 1]
        if repeated:
            raise InvalidInput(f"the CSV has more than one column {_listed(repeated)}, expected one of each name")
        self.unused = [column for column in self.columns if column not in names]
        self._file = file

    def __iter__(self) -> Iterator[tuple[list[str], dict[str, Any]]]:
        """Each row's cells and the instance made from them."""
        reader = csv.reader(self._file, delimiter=self._delimiter, strict=True, skipinitialspace=True)
        try:
            for cells in reader:
                if cells:
                    yield cells, self._instance(cells, self._header_line + reader.line_num)
        except csv.Error as error:
            raise InvalidInput(f"line {self._header_line + reader.line_num} is not CSV: {error}") from error

    def _instance(self, cells: list[str], line: int) -> dict[str, Any]:
        if len(cells) != len(self.columns):
            raise InvalidInput(f"line {line} has {len(cells)} cells, expected {len(self.columns)} as in the header")
        try:
            return to_instance(dict(zip(self.columns, cells, strict=True)), self._features)
        except CellError as error:
            raise InvalidInput(f"line {line}: {error}") from error


def json_lines(file: TextIO) -> Iterator[Any]:
    """The instance in each line that is not empty."""
    for number, line in enumerate(file, start=1):
        if line.strip():
            yield _instance(_parse(line, f"line {number}"), f"line {number}")


def json_text(text: str) -> list[Any]:
    """The instances in JSON text: one, a list of them, or `{"instances": […]}`."""
    value = _parse(sys.stdin.read() if text == "-" else text, "--json")
    if isinstance(value, dict) and set(value) == {"instances"}:
        value = value["instances"]
    if isinstance(value, list) and value and not isinstance(value[0], dict | list):
        value = [value]
    return [_instance(item, "--json") for item in (value if isinstance(value, list) else [value])]


def _read_header(file: TextIO, names: set[str]) -> tuple[list[str], str, int]:
    """The columns, the delimiter that gives all those that are asked for, and the number of the header's last line."""
    number = 1
    while (line := file.readline()) and not line.strip():
        number += 1
    while line.count('"') % 2 and (more := file.readline()):
        line += more
        number += 1
    for delimiter in _DELIMITERS:
        columns = _cells(line, delimiter)
        if names <= set(columns):
            return columns, delimiter, number
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
    if not isinstance(value, dict | list):
        raise InvalidInput(f"{where} has {json.dumps(value)[:60]}, expected an object of columns or a list of values")
    return value


def _listed(names: Any) -> str:
    shown = [repr(name) for name in names]
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")
