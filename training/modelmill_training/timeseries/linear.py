"""A linear forecast: ridge regression from a scaled window to what comes, less the last season.

Its penalty pulls it towards the seasonal naive forecast, which it becomes where windows are few. That linear maps of
windows are hard to beat: https://doi.org/10.1609/aaai.v37i9.26317
"""

from dataclasses import dataclass

import numpy as np

from modelmill_training.data import Floats
from modelmill_training.onnx_graph import GraphBuilder
from modelmill_training.timeseries.frame import LIMIT, Frame, Names, Scaled
from modelmill_training.timeseries.windows import Windows

# Penalties, in units of the training origins.
PENALTIES = np.logspace(-6, 2, 17)


@dataclass(frozen=True, slots=True)
class Linear:
    """weights [window + covariates, horizon], intercept [horizon]."""

    weights: Floats
    intercept: Floats

    def predict(self, frame: Frame, windows: Windows, scaled: Scaled) -> Floats:
        """Corrections [N, horizon] of the last season, in units of the window's scale."""
        return _inputs(frame, windows, scaled) @ self.weights + self.intercept

    def write(self, builder: GraphBuilder, names: Names) -> str:
        """The same in a graph, double."""
        inputs = names.lags
        if names.covariates:
            last = builder.node("Gather", names.covariates, builder.constant(np.array(-1)), axis=1)
            inputs = builder.node("Concat", inputs, last, axis=1)
        product = builder.node("MatMul", inputs, builder.constant(self.weights))
        return builder.node("Add", product, builder.constant(self.intercept))


def corrections(windows: Windows, scaled: Scaled) -> Floats:
    """What has to be learned [N, horizon]: how the steps ahead differ from the last season, in the window's units."""
    return np.clip((windows.target - scaled.base) / scaled.scale, -LIMIT, LIMIT)


def fit(frame: Frame, train: Windows, validation: Windows | None, penalty: float | None = None) -> tuple[Linear, float]:
    """The regression and its penalty: the one given, or that with the lowest error on the validation windows."""
    scaled = frame.scale(train)
    inputs, target = _inputs(frame, train, scaled), corrections(train, scaled)
    means, centre = inputs.mean(axis=0), target.mean(axis=0)
    centred = inputs - means
    values, vectors = np.linalg.eigh(centred.T @ centred / len(inputs))
    projected = vectors.T @ (centred.T @ (target - centre) / len(inputs))

    def solved(penalty: float) -> Linear:
        weights = vectors @ (projected / (np.maximum(values, 0.0) + penalty)[:, None])
        return Linear(weights, centre - means @ weights)

    if penalty is not None or validation is None:
        penalty = float(PENALTIES[-1]) if penalty is None else penalty
        return solved(penalty), penalty
    ahead = frame.scale(validation)
    known, truth, held_out = validation.known, corrections(validation, ahead), _inputs(frame, validation, ahead)
    tried = [(solved(float(each)), float(each)) for each in PENALTIES]
    errors = [
        float(np.abs(held_out @ each.weights + each.intercept - truth)[known].mean()) if known.any() else 0.0
        for each, _ in tried
    ]
    return tried[int(np.argmin(errors))]


def _inputs(frame: Frame, windows: Windows, scaled: Scaled) -> Floats:
    return np.concatenate([scaled.lags, frame.covariates(windows, 1)[:, 0]], axis=1)
