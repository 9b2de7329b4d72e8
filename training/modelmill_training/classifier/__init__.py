"""Telling texts or pictures apart: all that does not depend on which of them it is."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, cast

import onnx
from numpy.typing import NDArray

from modelmill_training.data import Floats, Integers
from modelmill_training.onnx_graph import GraphBuilder
from modelmill_training.progress import Progress
from modelmill_training.report.warnings import Finding
from modelmill_training.split import Split


class Model(Protocol):
    """A fitted model."""

    def predict(self, items: Any) -> Floats:
        """Probabilities [N, classes] of N items."""
        ...

    def write(self, builder: GraphBuilder, inputs: str) -> str:
        """Append the same computation on the graph's input: the name of the probabilities, float."""
        ...


class Samples(Protocol):
    """All labelled items of a dataset, dealt into parts."""

    @property
    def kind(self) -> str:
        """Of the dataset."""
        ...

    @property
    def target(self) -> Integers:
        """[N] indexes into `labels`."""
        ...

    @property
    def labels(self) -> list[str]:
        """The classes."""
        ...

    @property
    def split(self) -> Split:
        """Which item is in which part."""
        ...

    @property
    def present_rows(self) -> Integers:
        """[N] the place of each item in the dataset."""
        ...

    def take(self, rows: Integers) -> Any:
        """Some items, as models learn from them."""
        ...

    def graph_input(self) -> onnx.ValueInfoProto:
        """What the exported graph takes."""
        ...

    def feed(self, model: Any, items: Any) -> NDArray[Any]:
        """The graph's input for some items."""
        ...

    def reference(self, rows: Integers) -> tuple[list[dict[str, Any]], Any]:
        """Instances as clients send them, and the items that they are, which may be shortened."""
        ...

    def warnings(self) -> list[Finding]:
        """What people should know of the items."""
        ...

    def describe(self, row: int) -> dict[str, Any]:
        """An item for people."""
        ...


class Labelled(NamedTuple):
    """Items and the class index [N] of each."""

    items: Any
    target: Integers


@dataclass(frozen=True, slots=True)
class Request:
    """All that a builder needs.

    hyperparameters: complete; builders replace None by what they took, for the manifest.
    seconds: a time limit for builders that can stop early, or None.
    report: told the loss on the validation part after each step, by builders that learn in steps; it may raise to end
        the fit.
    """

    train: Labelled
    validation: Labelled
    classes: int
    hyperparameters: dict[str, Any]
    seed: int
    progress: Progress = field(default_factory=Progress)
    seconds: float | None = None
    report: Callable[[int, float], None] | None = None


class Builder(Protocol):
    """A module `algorithms.<name>` of the kind's package.

    REFITS: once the validation part has decided what was left open, it is fitted again to both parts.
    LIBRARIES: the distributions behind it, whose versions the manifest records.
    """

    REFITS: bool
    LIBRARIES: tuple[str, ...]
    fit: Callable[[Request], Model]


def builder(kind: str, algorithm: str) -> Builder:
    """The builder of a catalogue entry's name."""
    return cast("Builder", importlib.import_module(f"modelmill_training.{kind}.algorithms.{algorithm}"))
