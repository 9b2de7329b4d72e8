"""Encode: outputs of a graph to predictions that people read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from numpy.typing import NDArray

from modelmill.models.manifest import Manifest

# Lambda's limit is on the whole answer, in which the body is a JSON string.
MAX_ANSWER_BYTES = 6_000_000

_LONG_NUMBER = 1.2345678901234567e-05


@dataclass(frozen=True, slots=True)
class Encoder:
    """outputs: the graph's outputs to ask for. predictions: their arrays to one JSON-ready answer per instance.

    largest_batch: how many predictions fit into one answer.
    """

    outputs: list[str]
    predictions: Callable[[list[NDArray[Any]]], list[dict[str, Any]]]
    largest_batch: int


def encoder(manifest: Manifest) -> Encoder:
    """The encoder for the manifest's task."""
    return ENCODERS[manifest.task](manifest)


def answer_bytes(body: bytes) -> int:
    """How large a body is once it is a string inside Lambda's JSON answer."""
    return len(body) + body.count(b'"') + body.count(b"\\")


def _classifier(manifest: Manifest) -> Encoder:
    labels = manifest.labels or []

    def predictions(outputs: list[NDArray[Any]]) -> list[dict[str, Any]]:
        chosen, probabilities = outputs
        return [
            {"label": label, "probabilities": dict(zip(labels, row, strict=True))}
            for label, row in zip(chosen.tolist(), probabilities.tolist(), strict=True)
        ]

    widest = {"label": max(labels, key=len, default=""), "probabilities": dict.fromkeys(labels, _LONG_NUMBER)}
    return Encoder(["label", "probabilities"], predictions, _largest_batch(widest))


def _regressor(_manifest: Manifest) -> Encoder:
    def predictions(outputs: list[NDArray[Any]]) -> list[dict[str, Any]]:
        return [{"value": value} for value in outputs[0].ravel().tolist()]

    return Encoder(["value"], predictions, _largest_batch({"value": _LONG_NUMBER}))


def _largest_batch(widest: dict[str, Any]) -> int:
    return max(1, MAX_ANSWER_BYTES // (answer_bytes(orjson.dumps(widest)) + 1))


# By task.
ENCODERS: dict[str, Callable[[Manifest], Encoder]] = {
    "binary": _classifier,
    "multiclass": _classifier,
    "regression": _regressor,
}
