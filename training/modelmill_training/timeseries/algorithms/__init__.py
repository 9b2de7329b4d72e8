"""The forecasters, a module each, named as the catalogue names them."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from modelmill_training.data import Floats
from modelmill_training.onnx_graph import GraphBuilder
from modelmill_training.progress import Progress
from modelmill_training.timeseries.frame import Frame, Names
from modelmill_training.timeseries.windows import Windows


class Model(Protocol):
    """A fitted forecaster."""

    def predict(self, windows: Windows) -> Floats:
        """Corrections [N, horizon] of the last season, in units of each window's scale."""
        ...

    def write(self, builder: GraphBuilder, names: Names) -> str:
        """Append the same computation to a graph that has `names` and the input `steps`: [N, horizon], double."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """All that a builder needs.

    validation: None once it is learned from too, when `decided` holds what a fit before has put there.
    hyperparameters: complete; builders replace None by what they took, for the manifest.
    seconds: a time limit for builders that can stop early, or None.
    report: told the loss on the validation windows after each step, by builders that learn in steps; it may raise to
        end the fit.
    """

    frame: Frame
    train: Windows
    validation: Windows | None
    hyperparameters: dict[str, Any]
    decided: dict[str, Any]
    seed: int
    progress: Progress = field(default_factory=Progress)
    seconds: float | None = None
    report: Callable[[int, float], None] | None = None


class Builder(Protocol):
    """A module of this package.

    REFITS: once the validation windows have decided what was left open, it is fitted again to both parts.
    LIBRARIES: the distributions behind it, whose versions the manifest records.
    """

    REFITS: bool
    LIBRARIES: tuple[str, ...]
    fit: Callable[[Request], Model]


def builder(algorithm: str) -> Builder:
    """The builder of a catalogue entry's name."""
    return cast("Builder", importlib.import_module(f"{__name__}.{algorithm}"))
