"""What every script reads and writes: `UPLOADED OUT [ARGUMENTS…]`, and the parts of a split beside UPLOADED."""

import csv
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

UPLOADED, OUT = map(Path, sys.argv[1:3])
ARGUMENTS = sys.argv[3:]
TRAIN, VALIDATION, TEST = (UPLOADED.with_stem(part) for part in ("train", "validation", "test"))


def columns(path: Path) -> dict[str, list[str]]:
    """A CSV file by its header's names."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return {name: list(cells) for name, cells in zip(header, zip(*rows, strict=True), strict=True)}


def table(path: Path) -> tuple[NDArray[np.float64], NDArray[np.object_], NDArray[Any]]:
    """Columns of numbers [N, n], of words [N, m], and `target` [N]."""
    found = {name: _numbers(cells) for name, cells in columns(path).items()}
    target = found.pop("target")
    numbers = [values for values in found.values() if values.dtype.kind == "f"]
    words = [values for values in found.values() if values.dtype.kind != "f"]
    return np.array(numbers).T, np.array(words, dtype=object).T.reshape(len(target), -1), target


def _numbers(cells: list[str]) -> NDArray[Any]:
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        return np.array(cells)


def pictures(path: Path) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Pixels [N, height, width] and the names of the folders [N]."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pixels = np.array([np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in names])
    return pixels, np.array([name.partition("/")[0] for name in names])


def write(predictions: Any) -> None:
    """For each row of TEST, or each series, a label, a value or a list of values."""
    OUT.write_text(json.dumps(np.asarray(predictions).tolist()))
