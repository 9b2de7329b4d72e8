"""Learning from tables without a target: one builder per algorithm; each is imported only when it is asked for."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from modelmill.models.signature import Tensor
from modelmill_training.data import Floats, Matrix
from modelmill_training.onnx_graph import GraphBuilder
from modelmill_training.parity import Outputs
from modelmill_training.progress import Progress
from modelmill_training.report.warnings import Finding


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that a model is evaluated on: their features, and its outputs for them."""

    features: Matrix
    outputs: Outputs


class Model(Protocol):
    """A fitted model."""

    @property
    def tensors(self) -> list[Tensor]:
        """What the graph gives; the first one is chosen by the last one."""
        ...

    def predict(self, features: Matrix) -> Outputs:
        """The outputs by name, in the order of `tensors`."""
        ...

    def write(self, builder: GraphBuilder, features: str) -> None:
        """Append the same computation to a graph, its results named like the outputs."""
        ...

    def margins(self, outputs: Outputs) -> Floats:
        """[N] how far each row is from being chosen otherwise: see `parity.compare_outputs`."""
        ...

    def evaluate(self, rows: Rows, seed: int) -> dict[str, Any]:
        """The metrics of one part; none of a part without rows."""
        ...

    def describe(self, parts: dict[str, Rows], seed: int) -> dict[str, Any]:
        """What only this model's report has."""
        ...

    def warnings(self, parts: dict[str, Rows], metrics: dict[str, dict[str, Any]]) -> list[Finding]:
        """What a person should look at before the model is believed."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """All that a builder needs.

    hyperparameters: complete; builders replace None by what they took, for the manifest.
    max_bytes: the size that the exported model should not exceed.
    """

    train: Matrix
    validation: Matrix
    hyperparameters: dict[str, Any]
    seed: int
    max_bytes: int
    progress: Progress


class Builder(Protocol):
    """A module of this package.

    SCALED: whether it is fitted on standardised numbers.
    LIBRARIES: the distributions behind it, whose versions the manifest records.
    """

    SCALED: bool
    LIBRARIES: tuple[str, ...]
    fit: Callable[[Request], Model]


def builder(algorithm: str) -> Builder:
    """The builder of a catalogue entry's name."""
    return cast("Builder", importlib.import_module(f"{__name__}.{algorithm}"))
