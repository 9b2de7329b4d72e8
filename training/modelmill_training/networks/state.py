"""A fit after some of its epochs: all that it would need to go on."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill_training.networks.checkpoints import Arrays


class FitState:
    """A net and its optimizer, what was measured so far, and early stopping.

    patience: epochs without a better validation loss after which the fit is over; 0 for never.
    history: of each epoch its metrics, and its validation loss without penalties or None.
    done: whether the fit is over; the net then has its final weights.
    """

    def __init__(self, net: Any, optimizer: Any, patience: int) -> None:
        self._net, self._optimizer, self._patience = net, optimizer, patience
        self._loss, self._waited = math.inf, 0
        self._best: list[NDArray[Any]] = []
        self.history: list[tuple[dict[str, float], float | None]] = []
        self.done = False

    def add(self, metrics: dict[str, float], plain_loss: float | None) -> None:
        """One more epoch."""
        self.history.append((metrics, plain_loss))
        loss = metrics.get("val_loss")
        if not self._patience or loss is None:
            return
        self._waited += 1
        if loss < self._loss:
            self._loss, self._waited, self._best = loss, 0, self._net.get_weights()

    @property
    def exhausted(self) -> bool:
        """Whether the patience is."""
        return bool(self._patience) and self._waited >= self._patience

    def finish(self) -> None:
        """Bring the best weights back where there is a patience: the fit is over."""
        if self._best:
            self._net.set_weights(self._best)
        self._best, self.done = [], True

    def dump(self) -> tuple[dict[str, Any], Arrays]:
        """As `load` takes it; of a fit that is over only what is still of use."""
        variables = [] if self.done else self._optimizer.variables
        facts = {
            "done": self.done,
            "history": self.history,
            "loss": self._loss if math.isfinite(self._loss) else None,
            "waited": self._waited,
        }
        return facts, [*_values(self._net.variables), *_values(variables), *self._best]

    def load(self, facts: dict[str, Any], arrays: Arrays) -> None:
        """Become what was dumped from a net and an optimizer of the same form."""
        self.done, self._waited = facts["done"], facts["waited"]
        self._loss = math.inf if facts["loss"] is None else facts["loss"]
        self.history = [(metrics, plain) for metrics, plain in facts["history"]]
        variables = [*self._net.variables, *([] if self.done else self._optimizer.variables)]
        for variable, value in zip(variables, arrays[: len(variables)], strict=True):
            variable.assign(value)
        self._best = list(arrays[len(variables) :])


def _values(variables: Any) -> Arrays:
    return [np.asarray(variable) for variable in variables]
