"""Encode: outputs of a graph to predictions that people read."""

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import orjson
from numpy.typing import NDArray

from modelmill.errors import TooLarge
from modelmill.models.manifest import Manifest
from modelmill.models.signature import Tensor

# Lambda's limit is on the whole answer, in which the body is a JSON string.
MAX_ANSWER_BYTES = 6_000_000

_LONG_NUMBER = 1.2345678901234567e-05
_LONG_NUMBER_BYTES = 25

type Outputs = list[NDArray[Any]]
type Predictions = list[Any]


class Encoder(NamedTuple):
    """outputs: the graph's outputs to ask for. predictions: their arrays to one JSON-ready answer per instance.

    largest_batch: how many predictions fit into one answer.
    scores: what a classifier calls the scores of its classes; None where nothing is classified.
    """

    outputs: list[str]
    predictions: Callable[[Outputs], Predictions]
    largest_batch: int
    scores: str | None = None


def encoder(manifest: Manifest) -> Encoder:
    """The encoder for what the manifest says of the model's outputs."""
    if manifest.labels:
        return _classifier(manifest.labels, manifest.signature.outputs)
    return _regressor() if manifest.task == "regression" else _tensors(manifest.signature.outputs)


def answer_bytes(body: bytes) -> int:
    """How large a body is once it is a string inside Lambda's JSON answer."""
    return len(body) + body.count(b'"') + body.count(b"\\")


def _classifier(labels: list[str], outputs: list[Tensor]) -> Encoder:
    """A label output and one of scores, or that one alone; what gives a label calls its scores probabilities."""
    name = "probabilities" if len(outputs) == 2 else "scores"
    chosen = _chooser(labels, outputs)

    def predictions(arrays: Outputs) -> Predictions:
        return [
            {"label": label, name: dict(zip(labels, row, strict=True))}
            for label, row in zip(chosen(arrays), arrays[-1].tolist(), strict=True)
        ]

    widest = {"label": max(labels, key=len, default=""), name: dict.fromkeys(labels, _LONG_NUMBER)}
    one = answer_bytes(orjson.dumps(widest)) + 1
    return Encoder([output.name for output in outputs], predictions, _largest_batch(one), name)


def _chooser(labels: list[str], outputs: list[Tensor]) -> Callable[[Outputs], list[str]]:
    """What gives the label of each row; labels that a graph gives as whole numbers become text."""
    if len(outputs) == 1:
        return lambda arrays: [labels[best] for best in arrays[0].argmax(axis=1).tolist()]
    if outputs[0].datatype == "BYTES":
        return lambda arrays: arrays[0].tolist()
    return lambda arrays: [str(label) for label in arrays[0].tolist()]


def _regressor() -> Encoder:
    def predictions(arrays: Outputs) -> Predictions:
        return [{"value": value} for value in arrays[0].ravel().tolist()]

    one = answer_bytes(orjson.dumps({"value": _LONG_NUMBER})) + 1
    return Encoder(["value"], predictions, _largest_batch(one))


def _tensors(outputs: list[Tensor]) -> Encoder:
    """Each instance's part of every output, by name; sizes that vary are counted as 1 here and checked afterwards."""
    names = [output.name for output in outputs]

    def predictions(arrays: Outputs) -> Predictions:
        _check_size(arrays)
        columns = [array.tolist() for array in arrays]
        if len({array.shape[:1] or None for array in arrays}) == 1 and arrays[0].ndim:
            return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        return [dict(zip(names, columns, strict=True))]  # no common batch: one answer of whole tensors

    one = sum(_LONG_NUMBER_BYTES * prod(max(1, size) for size in output.shape[1:]) for output in outputs)
    return Encoder(names, predictions, _largest_batch(one))


def _check_size(arrays: Outputs) -> None:
    """A number takes two characters or more; what gets past is measured once it is written."""
    if sum(array.size for array in arrays) * 2 > MAX_ANSWER_BYTES:
        shapes = ", ".join(str(list(array.shape)) for array in arrays)
        raise TooLarge(f"the model's outputs of the shapes {shapes} would not fit into an answer; send fewer instances")


def _largest_batch(bytes_of_one: int) -> int:
    return max(1, MAX_ANSWER_BYTES // bytes_of_one)
