"""How good predictions of held-out rows are; all but `mase` are better the larger they are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score

SEASON = 12
DRAWS = 200


@dataclass(frozen=True, slots=True)
class Score:
    """A metric.

    answer: what it takes from one prediction of the HTTP interface. of: truth and predictions to the metric.
    """

    name: str
    larger_is_better: bool

    def answer(self, prediction: dict[str, Any]) -> Any:
        """What a script would have written for the same row."""
        return prediction[{"accuracy": "label", "R²": "value", "MASE": "values"}[self.name]]

    def of(self, truth: Any, predictions: list[Any]) -> float:
        """The metric."""
        return _METRICS[self.name](truth, predictions)

    def noise(self, truth: Any, one: list[Any], other: list[Any]) -> float:
        """Standard error of the difference of two sets of predictions, from rows drawn with replacement."""
        random, rows = np.random.default_rng(0), len(one)
        differences = []
        for _ in range(DRAWS):
            drawn = random.integers(0, rows, rows)
            chosen = [truth[row] for row in drawn]
            differences.append(
                self.of(chosen, [one[row] for row in drawn]) - self.of(chosen, [other[row] for row in drawn])
            )
        return float(np.std(differences))


def _accuracy(truth: Any, predictions: list[Any]) -> float:
    return float(accuracy_score(list(truth), predictions))


def _r2(truth: Any, predictions: list[Any]) -> float:
    return float(r2_score(list(truth), predictions))


def _mase(truth: Any, predictions: list[Any]) -> float:
    """Mean over the series of the error by that of the seasonal naive forecast on the uploaded part."""
    ratios = []
    for (before, after), values in zip(truth, predictions, strict=True):
        known = np.array(before)
        naive = np.abs(known[SEASON:] - known[:-SEASON]).mean()
        ratios.append(np.abs(np.array(after) - np.array(values)).mean() / naive)
    return float(np.mean(ratios))


_METRICS = {"accuracy": _accuracy, "R²": _r2, "MASE": _mase}
accuracy, r2, mase = Score("accuracy", True), Score("R²", True), Score("MASE", False)
