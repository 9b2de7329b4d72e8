"""Predictions written as CSV, JSON lines or JSON, row by row."""

import csv
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, override

from modelmill_client.cells import escape
from modelmill_client.errors import InvalidInput

FORMATS = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class Writer(ABC):
    """Takes the answers one after another."""

    @abstractmethod
    def write(self, cells: Sequence[Sequence[str]], answer: dict[str, Any]) -> None:
        """Writes a batch; `cells` are the rows that it was made from, empty where the input was JSON."""

    def close(self) -> None:  # noqa: B027 most have nothing to write
        """Writes what belongs to the end, if anything does."""


class CsvWriter(Writer):
    """The input's columns followed by `prediction` and, for classifiers, one `probability_…` per label."""

    def __init__(self, file: TextIO, columns: Sequence[str]) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._columns = columns
        self._labels: list[str] | None = None

    @override
    def write(self, cells: Sequence[Sequence[str]], answer: dict[str, Any]) -> None:
        predictions = answer["predictions"]
        if self._labels is None and predictions:
            self._labels = list(predictions[0].get("probabilities", ()))
            added = _free_names(["prediction", *(f"probability_{label}" for label in self._labels)], self._columns)
            self._writer.writerow([escape(name) for name in (*self._columns, *added)])
        for position, prediction in enumerate(predictions):
            row = cells[position] if cells else ()
            self._writer.writerow([escape(value) for value in (*row, *self._values(prediction))])

    def _values(self, prediction: dict[str, Any]) -> list[object]:
        value = prediction["label"] if "label" in prediction else prediction["value"]
        return [value, *(prediction["probabilities"][label] for label in self._labels or ())]


class JsonLinesWriter(Writer):
    """One prediction a line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    @override
    def write(self, cells: Sequence[Sequence[str]], answer: dict[str, Any]) -> None:
        for prediction in answer["predictions"]:
            self._file.write(json.dumps(prediction, ensure_ascii=False) + "\n")


class JsonWriter(Writer):
    """One object as the API gives it: `{predictions, model, version}`."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._predictions: list[Any] = []
        self._rest: dict[str, Any] = {}

    @override
    def write(self, cells: Sequence[Sequence[str]], answer: dict[str, Any]) -> None:
        self._predictions += answer["predictions"]
        self._rest = {name: value for name, value in answer.items() if name != "predictions"}

    @override
    def close(self) -> None:
        json.dump({"predictions": self._predictions, **self._rest}, self._file, ensure_ascii=False, indent=2)
        self._file.write("\n")


def make_writer(file: TextIO, form: str, columns: Sequence[str]) -> Writer:
    """The writer for `csv`, `jsonl` or `json`."""
    if form == "csv":
        return CsvWriter(file, columns)
    return JsonLinesWriter(file) if form == "jsonl" else JsonWriter(file)


@contextmanager
def output(path: Path | None) -> Iterator[TextIO]:
    """stdout, or a file that appears only when everything has been written."""
    if path is None:
        yield sys.stdout
        return
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise InvalidInput(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def _free_names(wanted: Sequence[str], taken: Sequence[str]) -> list[str]:
    free = []
    for name in wanted:
        while name in taken:
            name += "_"
        free.append(name)
    return free
