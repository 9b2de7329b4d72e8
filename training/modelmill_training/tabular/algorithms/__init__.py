"""One builder per algorithm of the catalogue; each is imported only when it is asked for."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from modelmill.models.manifest import Task
from modelmill_training.data import Floats, Integers, Matrix
from modelmill_training.metrics import squared_error
from modelmill_training.onnx_graph import GraphBuilder
from modelmill_training.progress import Progress


class Model(Protocol):
    """A fitted model."""

    def predict(self, features: Matrix) -> Floats:
        """Probabilities [N, classes], or values [N, 1]."""
        ...

    def write(self, builder: GraphBuilder, features: str) -> str:
        """Append the same computation to a graph: the name of the scores, float of the same shape."""
        ...


@dataclass(frozen=True, slots=True)
class Rows:
    """What is learned from: features [N, width], and values or class indexes [N]."""

    features: Matrix
    target: Floats | Integers


@dataclass(frozen=True, slots=True)
class Request:
    """All that a builder needs.

    classes: how many there are; 0 for regression.
    hyperparameters: complete; builders replace None by what they took, for the manifest.
    max_bytes: the size that the exported model should not exceed.
    seconds: a time limit for builders that can stop early, or None.
    report: told the loss on the validation rows after each step, by builders that learn in steps; it may raise to end
        the fit.
    """

    train: Rows
    validation: Rows
    task: Task
    classes: int
    hyperparameters: dict[str, Any]
    seed: int
    max_bytes: int
    progress: Progress = field(default_factory=Progress)
    seconds: float | None = None
    report: Callable[[int, float], None] | None = None

    def report_stage(self, step: int, model: Model) -> None:
        """Tell `report`, where there is one, how good the model is so far."""
        if self.report is not None and len(self.validation.target):
            self.report(step, squared_error(self.validation.target, model.predict(self.validation.features)))


class Builder(Protocol):
    """A module of this package.

    SCALED: whether it is fitted on standardised numbers.
    STANDARDISED_TARGET: whether a regression target must have mean 0 and deviation 1.
    COSTLY_ROWS: up to so many rows each one makes a fit longer.
    LIBRARIES: the distributions behind it, whose versions the manifest records.
    """

    SCALED: bool
    STANDARDISED_TARGET: bool
    COSTLY_ROWS: float
    LIBRARIES: tuple[str, ...]
    fit: Callable[[Request], Model]


def builder(algorithm: str) -> Builder:
    """The builder of a catalogue entry's name."""
    return cast("Builder", importlib.import_module(f"{__name__}.{algorithm}"))
