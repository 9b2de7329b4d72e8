"""One builder per algorithm on texts; each is imported only when it is asked for."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

import numpy as np
from tokenizers import Tokenizer

from modelmill_training.data import Floats, Integers
from modelmill_training.onnx_graph import GraphBuilder
from modelmill_training.progress import Progress


class Model(Protocol):
    """A fitted model."""

    @property
    def tokenizer(self) -> Tokenizer:
        """What gives it its token ids, here and in serving."""
        ...

    def predict(self, texts: list[str]) -> Floats:
        """Probabilities [N, classes]."""
        ...

    def write(self, builder: GraphBuilder, ids: str) -> str:
        """Append the same computation on token ids [N, length] to a graph: the name of the probabilities, float."""
        ...


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts and the class index [N] of each."""

    texts: list[str]
    target: Integers


@dataclass(frozen=True, slots=True)
class Request:
    """All that a builder needs.

    hyperparameters: complete; builders replace None by what they took, for the manifest.
    seconds: a time limit for builders that can stop early, or None.
    """

    train: Labelled
    validation: Labelled
    classes: int
    hyperparameters: dict[str, Any]
    seed: int
    progress: Progress = field(default_factory=Progress)
    seconds: float | None = None

    def on_everything(self) -> "Request":
        """The same, to learn from the validation texts too."""
        texts = self.train.texts + self.validation.texts
        train = Labelled(texts, np.concatenate([self.train.target, self.validation.target]))
        return replace(self, train=train, validation=Labelled([], self.validation.target[:0]))


class Builder(Protocol):
    """A module of this package.

    REFITS: once the validation texts have decided what was left open, it is fitted again to all texts.
    LIBRARIES: the distributions behind it, whose versions the manifest records.
    """

    REFITS: bool
    LIBRARIES: tuple[str, ...]
    fit: Callable[[Request], Model]


def builder(algorithm: str) -> Builder:
    """The builder of a catalogue entry's name."""
    return cast("Builder", importlib.import_module(f"{__name__}.{algorithm}"))
