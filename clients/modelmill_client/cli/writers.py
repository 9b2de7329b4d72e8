"""Predictions written as CSV, JSON lines or JSON, row by row."""

import csv
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, override

from modelmill_client.cells import escape
from modelmill_client.errors import InvalidInput

FORMATS = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}

type Prediction = dict[str, Any]
# The names of the columns that predictions add, and what gives their values.
type Layout = tuple[list[str], Callable[[Prediction], list[object]]]

# What an answer calls the scores of classes, and what a column is called.
_SCORES = {"probabilities": "probability", "scores": "score"}


class Writer(ABC):
    """Takes the answers one after another."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, cells: Sequence[Sequence[str]], answer: dict[str, Any]) -> None:
        """Writes a batch; `cells` are the rows that it was made from, each empty where the input was JSON."""
        self._write(cells, answer)
        # For whoever waits at the other end of a pipe.
        self._file.flush()

    @abstractmethod
    def _write(self, cells: Sequence[Sequence[str]], answer: dict[str, Any]) -> None: ...

    def close(self) -> None:  # noqa: B027 most have nothing to write
        """Writes what belongs to the end, if anything does."""


class CsvWriter(Writer):
    """The input's columns, followed by those of the predictions."""

    def __init__(self, file: TextIO, columns: Sequence[str], ranked: bool) -> None:
        super().__init__(file)
        self._writer = csv.writer(file, lineterminator="\n")
        self._columns = columns
        self._ranked = ranked
        self._layout: Layout | None = None

    @override
    def _write(self, cells: Sequence[Sequence[str]], answer: dict[str, Any]) -> None:
        for row, prediction in zip(cells, answer["predictions"], strict=True):
            for line in _lines(prediction):
                if self._layout is None:
                    self._layout = _layout(line, self._ranked)
                    added = _free_names(self._layout[0], self._columns)
                    self._writer.writerow([escape(name) for name in (*self._columns, *added)])
                self._writer.writerow([_cell(value) for value in (*row, *self._layout[1](line))])


class JsonLinesWriter(Writer):
    """One prediction a line."""

    @override
    def _write(self, cells: Sequence[Sequence[str]], answer: dict[str, Any]) -> None:
        for prediction in answer["predictions"]:
            self._file.write(json.dumps(prediction, ensure_ascii=False) + "\n")


class JsonWriter(Writer):
    """One object as the API gives it, `{predictions, model, version}`, with a prediction a line."""

    def __init__(self, file: TextIO) -> None:
        super().__init__(file)
        self._before = '{\n  "predictions": [\n    '
        self._rest: dict[str, Any] = {}

    @override
    def _write(self, cells: Sequence[Sequence[str]], answer: dict[str, Any]) -> None:
        for prediction in answer["predictions"]:
            self._file.write(self._before + json.dumps(prediction, ensure_ascii=False))
            self._before = ",\n    "
        self._rest = {name: value for name, value in answer.items() if name != "predictions"}

    @override
    def close(self) -> None:
        self._file.write("\n  ]")
        for name, value in self._rest.items():
            self._file.write(f",\n  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}")
        self._file.write("\n}\n")


def make_writer(file: TextIO, form: str, columns: Sequence[str], *, ranked: bool) -> Writer:
    """The writer for `csv`, `jsonl` or `json`; `ranked`: of classes, only the most probable ones were asked for."""
    if form == "csv":
        return CsvWriter(file, columns, ranked)
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


def _lines(prediction: Prediction) -> list[Prediction]:
    """A forecast as one line for each step ahead; all others are a line."""
    if prediction.keys() != {"times", "values", "lower", "upper"} or not isinstance(prediction["times"][0], str):
        return [prediction]
    columns = [prediction[name] for name in ("times", "values", "lower", "upper")]
    names = ("time", "prediction", "lower", "upper")
    return [dict(zip(names, step, strict=True)) for step in zip(*columns, strict=True)]


def _layout(first: Prediction, ranked: bool) -> Layout:
    """What the first prediction shows: classes with their scores, one value, or outputs of an uploaded model."""
    scores = next((name for name in _SCORES if isinstance(first.get(name), dict)), None)
    if "label" in first and scores is not None:
        return _ranks(scores, len(first[scores])) if ranked else _classes(scores, list(first[scores]))
    if first.keys() == {"value"} and not isinstance(first["value"], list):
        return ["prediction"], lambda prediction: [prediction["value"]]
    return _outputs(first)


def _classes(scores: str, labels: list[str]) -> Layout:
    names = ["prediction", *(f"{_SCORES[scores]}_{label}" for label in labels)]
    return names, lambda prediction: [prediction["label"], *(prediction[scores][label] for label in labels)]


def _ranks(scores: str, count: int) -> Layout:
    ranks = range(1, count + 1)
    names = ["prediction", *(name for rank in ranks for name in (f"top_{rank}", f"top_{rank}_{_SCORES[scores]}"))]
    return names, lambda prediction: [
        prediction["label"],
        *(part for pair in prediction[scores].items() for part in pair),
    ]


def _outputs(first: Prediction) -> Layout:
    names = [name for name, _ in _flat(first)]

    def values(prediction: Prediction) -> list[object]:
        flat = _flat(prediction)
        if [name for name, _ in flat] != names:
            raise InvalidInput("the model's outputs vary in size from row to row; write --format jsonl instead of csv")
        return [value for _, value in flat]

    return names, values


def _flat(prediction: Prediction) -> list[tuple[str, object]]:
    """Single values under the output's name, rows of them numbered from 0, and what is nested deeper as JSON."""
    flat: list[tuple[str, object]] = []
    for name, value in prediction.items():
        if not isinstance(value, list):
            flat.append((name, value))
        elif any(isinstance(item, list) for item in value):
            flat.append((name, json.dumps(value, ensure_ascii=False)))
        elif len(value) == 1:
            flat.append((name, value[0]))
        else:
            flat += [(f"{name}_{place}", item) for place, item in enumerate(value)]
    return flat


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(value)


def _free_names(wanted: Sequence[str], taken: Sequence[str]) -> list[str]:
    free: list[str] = []
    for name in wanted:
        while name in taken or name in free:
            name += "_"
        free.append(name)
    return free
