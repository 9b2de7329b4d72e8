"""What is proved: real data sets, and the plain script that each algorithm is held against."""

import base64
import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_diabetes

from benchmarks.proofs import sources
from benchmarks.proofs.scores import Score, accuracy, mase, r2

MONTHS = 12
SERIES = ("AirPassengers", "nottem", "co2", "UKDriverDeaths")

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Data:
    """What is uploaded, and what it is held against.

    uploaded: the file. write: some of its rows into a file of the same form. instances: what is predicted over HTTP; of
    a table its rows, of series what is known of them. truth: of the same. options: of the training job.
    """

    uploaded: Path
    write: Callable[[Path, Rows], None]
    instances: list[Any]
    truth: Any
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One data set.

    make: its files in a folder. scripts: per algorithm the script of `plain/` and its arguments.
    """

    name: str
    kind: str
    target: str | None
    make: Callable[[Path], Data]
    score: Score
    scripts: dict[str, list[str]]


def digits(folder: Path) -> Data:
    pictures, digits = sources.digits()
    contents, labels = [_png(each) for each in pictures], digits.astype(str)

    def write(path: Path, rows: Rows) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for row in rows:
                archive.writestr(f"{labels[row]}/{row}.png", contents[row])

    instances = [{"image": base64.b64encode(content).decode()} for content in contents]
    return _data(folder / "all.zip", write, instances, labels)


def reviews(folder: Path) -> Data:
    texts = [list(row) for row in sources.reviews()]
    return _table(folder, ["text", "label"], texts)


def breast_cancer(folder: Path) -> Data:
    frame = load_breast_cancer(as_frame=True).frame
    names = {0: "malignant", 1: "benign"}
    rows = [[*row[:-1], names[int(row[-1])]] for row in frame.to_numpy().tolist()]
    return _table(folder, list(frame.columns), rows)


def diabetes(folder: Path) -> Data:
    frame = load_diabetes(as_frame=True).frame
    return _table(folder, list(frame.columns), frame.to_numpy().tolist())


def diamonds(folder: Path) -> Data:
    header, *rows = csv.reader(io.StringIO(sources.r_table("ggplot2/diamonds")))
    at = header.index("price")
    order = [place for place in range(1, len(header)) if place != at]
    moved = [[_cell(row[place]) for place in order] + [float(row[at])] for row in rows]
    return _table(folder, [*(header[place] for place in order), "target"], moved)


def months(folder: Path) -> Data:
    """Four monthly series with a season; their last year is not uploaded."""
    known, instances, truth = [], [], []
    for name in SERIES:
        values = list(_monthly(name))
        known += [[*row, name] for row in values[:-MONTHS]]
        instances.append({"history": [{"month": month, "target": value} for month, value in values[:-MONTHS]]})
        truth.append([[value for _, value in part] for part in (values[:-MONTHS], values[-MONTHS:])])
    options = {"time": "month", "series": "series", "horizon": MONTHS}
    return replace(
        _table(folder, ["month", "target", "series"], known), instances=instances, truth=truth, options=options
    )


def _monthly(name: str) -> Iterator[tuple[str, float]]:
    """First days of months, and values."""
    _, *rows = csv.reader(io.StringIO(sources.r_table(f"datasets/{name}")))
    for _, time, value in rows:
        month = round(float(time) * 12)
        yield f"{month // 12}-{month % 12 + 1:02}-01", float(value)


def _table(folder: Path, header: list[str], cells: list[list[Any]]) -> Data:
    """The target is the last column."""

    def write(path: Path, rows: Rows) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *(cells[row] for row in rows)])

    instances = [dict(zip(header[:-1], row[:-1], strict=True)) for row in cells]
    return _data(folder / "all.csv", write, instances, np.array([row[-1] for row in cells]))


def _data(path: Path, write: Callable[[Path, Rows], None], instances: list[Any], truth: Any) -> Data:
    write(path, np.arange(len(instances)))
    return Data(path, write, instances, truth)


def _cell(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _sklearn_tables(*algorithms: str) -> dict[str, list[str]]:
    return {algorithm: ["sklearn_table", algorithm] for algorithm in algorithms} | {"mlp": ["keras_table"]}


CASES = (
    Case("diabetes", "tabular", "target", diabetes, r2, _sklearn_tables("linear", "svm", "random_forest")),
    Case(
        "breast_cancer",
        "tabular",
        "target",
        breast_cancer,
        accuracy,
        _sklearn_tables("linear", "decision_tree", "random_forest", "gradient_boosting"),
    ),
    Case("diamonds", "tabular", "target", diamonds, r2, _sklearn_tables("random_forest", "gradient_boosting")),
    Case(
        "reviews",
        "text",
        "label",
        reviews,
        accuracy,
        {"text_linear": ["sklearn_text"], "lstm": ["keras_text", "lstm"], "transformer": ["keras_text", "transformer"]},
    ),
    Case(
        "digits", "image", None, digits, accuracy, {"cnn": ["keras_image", "cnn"], "resnet": ["keras_image", "resnet"]}
    ),
    Case(
        "months",
        "timeseries",
        "target",
        months,
        mase,
        {"gradient_boosting": ["sklearn_series"], "lstm": ["keras_series"]},
    ),
)
