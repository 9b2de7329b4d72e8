"""Encode: outputs of a graph to predictions that people read."""

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from modelmill.errors import TooLarge
from modelmill.models.manifest import Manifest
from modelmill.models.signature import Signature, Tensor

# Lambda's limit is on the whole answer, in which the body is a JSON string.
MAX_ANSWER_BYTES = 6_000_000

_LONG_NUMBER = 1.2345678901234567e-05
_LONG_NUMBER_BYTES = 25

type Outputs = list[NDArray[Any]]
type Predictions = list[Any]


class Encoder(NamedTuple):
    """outputs: the graph's outputs to ask for.

    predictions: their arrays, and how many instances were asked for, to one JSON-ready answer per instance; another
        number of answers where the graph does not tell instances apart.

    largest_batch: how many predictions fit into one answer.
    scores: what a classifier calls the scores of its classes; None where nothing is classified.
    """

    outputs: list[str]
    predictions: Callable[[Outputs, int], Predictions]
    largest_batch: int
    scores: str | None = None


def encoder(manifest: Manifest) -> Encoder:
    """The encoder for what the manifest says of the model's outputs."""
    if manifest.labels:
        return _classifier(manifest.labels, manifest.signature.outputs)
    if manifest.task == "forecasting":
        return _forecaster(manifest.signature)
    return _regressor() if manifest.task == "regression" else _tensors(manifest.signature)


def answer_bytes(body: bytes) -> int:
    """How large a body is once it is a string inside Lambda's JSON answer."""
    return len(body) + body.count(b'"') + body.count(b"\\")


def _classifier(labels: list[str], outputs: list[Tensor]) -> Encoder:
    """A label output and one of scores, or that one alone; what gives a label calls its scores probabilities."""
    name = "probabilities" if len(outputs) == 2 else "scores"
    chosen = _chooser(labels, outputs)

    def predictions(arrays: Outputs, _count: int) -> Predictions:
        return [
            {"label": label, name: dict(zip(labels, row, strict=True))}
            for label, row in zip(chosen(arrays), arrays[-1].tolist(), strict=True)
        ]

    widest = {"label": max(labels, key=len, default=""), name: dict.fromkeys(labels, _LONG_NUMBER)}
    one = answer_bytes(orjson.dumps(widest)) + 1
    return Encoder([output.name for output in outputs], predictions, _largest_batch(one), name)


def _chooser(labels: list[str], outputs: list[Tensor]) -> Callable[[Outputs], list[str | None]]:
    """What gives the label of each row; labels that a graph gives as whole numbers become text."""
    if len(outputs) == 1:
        return lambda arrays: _best(labels, arrays[0])
    if outputs[0].datatype == "BYTES":
        return lambda arrays: arrays[0].tolist()
    return lambda arrays: [str(label) for label in arrays[0].tolist()]


def _best(labels: list[str], scores: NDArray[Any]) -> list[str | None]:
    """The label with the highest score of each row; a score that is not a number is none."""
    if not np.isnan(scores).any():
        return [labels[best] for best in scores.argmax(axis=1).tolist()]
    known = np.where(np.isnan(scores), -np.inf, scores)
    best = zip(known.argmax(axis=1).tolist(), np.isnan(scores).all(axis=1).tolist(), strict=True)
    return [None if nothing else labels[place] for place, nothing in best]


def _regressor() -> Encoder:
    def predictions(arrays: Outputs, _count: int) -> Predictions:
        return [{"value": value} for value in arrays[0].ravel().tolist()]

    one = answer_bytes(orjson.dumps({"value": _LONG_NUMBER})) + 1
    return Encoder(["value"], predictions, _largest_batch(one))


def _forecaster(signature: Signature) -> Encoder:
    """Times are ISO 8601 in UTC; the other outputs are numbers, one per step."""
    names = [output.name for output in signature.outputs]

    def predictions(arrays: Outputs, _count: int) -> Predictions:
        times = arrays[0].round().astype("datetime64[s]")
        columns = [[[f"{moment}Z" for moment in row] for row in times.astype(str).tolist()]]
        columns += [array.tolist() for array in arrays[1:]]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    one = sum(_LONG_NUMBER_BYTES * output.shape[1] for output in signature.outputs)
    return Encoder(names, predictions, _largest_batch(one))


def _tensors(signature: Signature) -> Encoder:
    """Each instance's part of every output, by name; sizes that vary are counted as 1 here and checked afterwards."""
    outputs, by_row = signature.outputs, _answers_by_row(signature)
    names = [output.name for output in outputs]

    def predictions(arrays: Outputs, count: int) -> Predictions:
        _check_size(arrays)
        columns = [array.tolist() for array in arrays]
        if by_row and all(array.shape[:1] == (count,) for array in arrays):
            return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        return [dict(zip(names, columns, strict=True))]  # one answer of whole tensors

    one = sum(_LONG_NUMBER_BYTES * prod(max(1, size) for size in output.shape[1:]) for output in outputs)
    return Encoder(names, predictions, _largest_batch(one))


def _answers_by_row(signature: Signature) -> bool:
    """Whether the first dimension of every output is that of the inputs: the batch, or the same fixed size."""
    given = {tensor.shape[0] for tensor in signature.inputs if tensor.shape}
    batch = -1 if -1 in given else max(given, default=0)
    return all(tensor.shape[:1] == [batch] for tensor in signature.outputs)


def _check_size(arrays: Outputs) -> None:
    """A number takes two characters or more, a text its own; what gets past is measured once it is written."""
    if sum(map(_least_bytes, arrays)) > MAX_ANSWER_BYTES:
        shapes = ", ".join(str(list(array.shape)) for array in arrays)
        raise TooLarge(f"the model's outputs of the shapes {shapes} would not fit into an answer; send fewer instances")


def _least_bytes(array: NDArray[Any]) -> int:
    return sum(map(len, array.ravel().tolist())) if array.dtype == object else array.size * 2


def _largest_batch(bytes_of_one: int) -> int:
    return max(1, MAX_ANSWER_BYTES // bytes_of_one)
