"""From the dataset's files to labelled pictures of one size, dealt into parts."""

import base64
import hashlib
import io
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image
from pyarrow.parquet import ParquetFile

from modelmill.datasets.pictures import open_picture, pixels
from modelmill.datasets.schema import Schema
from modelmill.jobs.spec import TrainingSpec
from modelmill_training.data import Integers, read_arrow
from modelmill_training.environment import Environment
from modelmill_training.onnx_graph import UINT8, value_info
from modelmill_training.progress import Progress
from modelmill_training.report.warnings import Finding, warning
from modelmill_training.split import Hashes, Split, split_rows
from modelmill_training.target import decode_target

IMAGE, LABEL, NAME = "image", "label", "name"
USUAL_SIDE, LEAST_SIDE = 64, 8
# All pictures are held in memory, at most so many bytes of them.
MAX_BYTES = 4 * 1024**3
GREY_MODES = frozenset({"1", "L", "LA", "I", "I;16"})
LOOKED_AT = 200
BATCH = 256
MAX_EXAMPLES = 5

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Images:
    """All pictures that have a label.

    pixels: [N, height, width, channels]. conflicting: names of pictures that occur with more than one label.
    """

    pixels: Pixels
    names: list[str]
    target: Integers
    labels: list[str]
    split: Split
    present_rows: Integers
    missing_target_rows: int
    conflicting: list[str]

    kind = "image"
    base_model = None

    def take(self, rows: Integers) -> Pixels:
        """See `Samples`."""
        return self.pixels[rows]

    def graph_input(self) -> onnx.ValueInfoProto:
        """See `Samples`."""
        return value_info("pixels", UINT8, "N", *self.pixels.shape[1:])

    def feed(self, _model: Any, items: Pixels) -> Pixels:
        """See `Samples`."""
        return items

    def reference(self, rows: Integers) -> tuple[list[dict[str, Any]], Pixels]:
        """See `Samples`."""
        items = self.take(rows)
        return [{"image": _as_png(item)} for item in items], items

    def warnings(self) -> list[Finding]:
        """See `Samples`."""
        if not self.conflicting:
            return []
        shown = ", ".join(map(repr, self.conflicting[:MAX_EXAMPLES]))
        what = "picture occurs" if len(self.conflicting) == 1 else "pictures occur"
        text = f"{len(self.conflicting)} {what} with more than one label, such as {shown}: correct them"
        return [warning("conflicting_labels", text)]

    def describe(self, row: int) -> dict[str, Any]:
        """See `Samples`."""
        return {"name": self.names[row], "image": _as_png(self.pixels[row])}


def prepare(environment: Environment, spec: TrainingSpec, schema: Schema, progress: Progress) -> Images:
    """Read the pictures at the size that is asked for, or that most of them have, and deal them.

    Raises:
        TrainingFailure: nothing can be learned from this.
    """
    arrow = read_arrow(environment.data_file, schema, [LABEL, NAME])
    progress.report("prepare", 0, schema.rows)
    target = decode_target(arrow.column(LABEL), "category", spec.task)
    file = ParquetFile(environment.data_file)
    shape = _shape(file, schema, spec.hyperparameters)
    read, identity = _read(file, schema.rows, shape, progress)
    values, names = target.values.astype(np.int64), np.array(arrow.column(NAME).to_pylist(), dtype=object)
    identity, names = identity[target.present], names[target.present]
    split = split_rows(identity, values, spec.seed)
    return Images(
        pixels=read if target.present.all() else read[target.present],
        names=list(names),
        target=values,
        labels=target.labels or [],
        split=split,
        present_rows=np.flatnonzero(target.present),
        missing_target_rows=len(target.present) - target.rows,
        conflicting=_conflicting(list(names), identity, values),
    )


def _shape(file: ParquetFile, schema: Schema, given: dict[str, Any]) -> tuple[int, int, int]:
    """Height, width and channels."""
    sizes = file.read(columns=["height", "width"])
    height, width = (float(np.median(sizes.column(name).to_numpy())) for name in ("height", "width"))
    channels = given.get("channels") or (1 if _all_grey(file) else 3)
    side = given.get("size") or min(USUAL_SIDE, max(height, width))
    affordable = (MAX_BYTES / (schema.rows * channels)) ** 0.5
    scale = min(side, affordable) / max(height, width)
    return max(LEAST_SIDE, round(height * scale)), max(LEAST_SIDE, round(width * scale)), channels


def _all_grey(file: ParquetFile) -> bool:
    batch = next(file.iter_batches(LOOKED_AT, columns=[IMAGE]))
    return all(_is_grey(open_picture(content)) for content in batch.column(0).to_pylist())


def _is_grey(picture: Image.Image) -> bool:
    if picture.mode in GREY_MODES:
        return True
    red, green, blue = (np.asarray(band) for band in picture.convert("RGB").split())
    return bool(np.array_equal(red, green) and np.array_equal(red, blue))


def _read(file: ParquetFile, rows: int, shape: tuple[int, int, int], progress: Progress) -> tuple[Pixels, Hashes]:
    """All pictures, and hashes that are equal for equal files."""
    read = np.empty((rows, *shape), dtype=np.uint8)
    digests = []
    place = 0
    for batch in file.iter_batches(BATCH, columns=[IMAGE]):
        for content in batch.column(0).to_pylist():
            read[place] = pixels(open_picture(content), *shape)
            digests.append(hashlib.blake2b(content, digest_size=8).digest())
            place += 1
        if place % (BATCH * 20) == 0:
            progress.report("prepare", place, rows)
    return read, np.frombuffer(b"".join(digests), dtype=np.uint64)


def _conflicting(names: list[str], identity: Hashes, target: Integers) -> list[str]:
    labels: dict[int, set[int]] = defaultdict(set)
    first: dict[int, str] = {}
    for name, key, label in zip(names, identity.tolist(), target.tolist(), strict=True):
        labels[key].add(label)
        first.setdefault(key, name)
    return [first[key] for key, found in labels.items() if len(found) > 1]


def _as_png(item: Pixels) -> str:
    """Base64 of a picture without loss."""
    file = io.BytesIO()
    Image.fromarray(item[:, :, 0] if item.shape[2] == 1 else item).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
