"""Gradient boosted trees that correct a linear forecast: one model, to which the step ahead is a feature."""

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from modelmill_training.data import Floats, Integers, Matrix
from modelmill_training.onnx_graph import DOUBLE, FLOAT, GraphBuilder, doubles
from modelmill_training.tabular.algorithms.gradient_boosting import BoostedTrees
from modelmill_training.timeseries import linear
from modelmill_training.timeseries.algorithms import Model, Request
from modelmill_training.timeseries.frame import Frame, Names, Scaled
from modelmill_training.timeseries.linear import Linear
from modelmill_training.timeseries.windows import Windows

REFITS = True
LIBRARIES = ("scikit-learn",)

# Last values that trees see one by one.
RECENT = 8
# Seasons whose values in a step's place they see.
SEASONS = 3


@dataclass(frozen=True, slots=True)
class Boosted:
    """The linear forecast and the trees that correct it."""

    frame: Frame
    linear: Linear
    trees: BoostedTrees

    def predict(self, windows: Windows) -> Floats:
        """See `Model`."""
        scaled = self.frame.scale(windows)
        rough = self.linear.predict(self.frame, windows, scaled)
        features = _features(self.frame, windows, scaled, rough)
        return rough + self.trees.predict(features).reshape(rough.shape)

    def write(self, builder: GraphBuilder, names: Names) -> str:
        """See `Model`."""
        rough = self.linear.write(builder, names)
        corrected = self.trees.write(builder, _write_features(builder, self.frame, names, rough))
        shape = builder.constant(np.array([-1, self.frame.form.horizon]))
        return builder.node("Add", rough, builder.node("Reshape", builder.cast(corrected, DOUBLE), shape))


def fit(request: Request) -> Model:
    """See `Builder`."""
    frame, given, decided = request.frame, request.hyperparameters, request.decided
    rough, decided["penalty"] = linear.fit(frame, request.train, request.validation, decided.get("penalty"))
    rounds = decided.get("rounds", given["max_iter"])
    request.progress.report("fit", 0, rounds)
    features, target = _rows(frame, rough, request.train)
    estimator = HistGradientBoostingRegressor(
        max_iter=rounds,
        learning_rate=given["learning_rate"],
        max_leaf_nodes=given["max_leaf_nodes"],
        min_samples_leaf=given["min_samples_leaf"],
        l2_regularization=given["l2"],
        early_stopping=False,
        random_state=request.seed % 2**32,
    )
    estimator.fit(features, target)
    if request.validation is not None:
        decided["rounds"] = _best_rounds(estimator, *_rows(frame, rough, request.validation))
        # scikit-learn keeps its trees in this private attribute only.
        estimator._predictors = estimator._predictors[: decided["rounds"]]
    request.progress.report("fit", rounds, rounds)
    return Boosted(frame, rough, BoostedTrees(estimator, 0))


def _best_rounds(estimator: HistGradientBoostingRegressor, features: Matrix, target: Floats) -> int:
    errors = [float(np.abs(target - found).mean()) for found in estimator.staged_predict(features)]
    return int(np.argmin(errors)) + 1


def _rows(frame: Frame, rough: Linear, windows: Windows) -> tuple[Matrix, Floats]:
    """A row for each step of each origin whose value is known: features, and what the linear forecast lacks."""
    scaled = frame.scale(windows)
    found = rough.predict(frame, windows, scaled)
    lacking = linear.corrections(windows, scaled) - found
    known = windows.known.ravel()
    return _features(frame, windows, scaled, found)[known], lacking.ravel()[known]


def _features(frame: Frame, windows: Windows, scaled: Scaled, rough: Floats) -> Matrix:
    """[N * horizon, width]: what is known of each step, then of its origin."""
    horizon = frame.form.horizon
    origin = scaled.lags @ _summary(frame)
    if frame.width:
        recent = frame.covariates(windows, frame.recent)
        origin = np.concatenate([origin, recent[:, -1], recent.mean(axis=1)], axis=1)
    steps = np.broadcast_to(np.arange(horizon, dtype=np.float64)[:, None], (len(rough), horizon, 1))
    seasons = [scaled.lags[:, place][..., None] for place in _seasons(frame)]
    spread = np.broadcast_to(origin[:, None], (len(rough), horizon, origin.shape[1]))
    parts = [steps, windows.steps[..., 1:], *seasons, rough[..., None], spread]
    return np.concatenate(parts, axis=2).astype(np.float32).reshape(len(rough) * horizon, -1)


def _write_features(builder: GraphBuilder, frame: Frame, names: Names, rough: str) -> str:
    horizon = frame.form.horizon
    origin = builder.node("MatMul", names.lags, builder.constant(_summary(frame)))
    if names.covariates:
        places = np.arange(frame.form.window - frame.recent, frame.form.window)
        recent = builder.node("Gather", names.covariates, builder.constant(places), axis=1)
        last = builder.node("Gather", recent, builder.constant(np.array(-1)), axis=1)
        means = builder.node("ReduceMean", recent, builder.constant(np.array([1])), keepdims=0)
        origin = builder.node("Concat", origin, last, means, axis=1)
    one, last_axis = builder.constant(np.array([1])), builder.constant(np.array([2]))
    # Zeros of the right shape spread what is known of the origin, and the numbers of the steps, over both axes.
    wide = builder.node("Unsqueeze", builder.node("Sub", rough, rough), last_axis)
    steps = builder.node("Add", wide, builder.constant(doubles(np.arange(horizon)[:, None])))
    calendar = builder.node("Gather", "steps", builder.constant(np.arange(1, 5)), axis=2)
    seasons = [
        builder.node("Unsqueeze", builder.node("Gather", names.lags, builder.constant(place), axis=1), last_axis)
        for place in _seasons(frame)
    ]
    spread = builder.node("Add", wide, builder.node("Unsqueeze", origin, one))
    parts = [steps, calendar, *seasons, builder.node("Unsqueeze", rough, last_axis), spread]
    joined = builder.cast(builder.node("Concat", *parts, axis=2), FLOAT)
    width = 1 + 4 + len(seasons) + 1 + _summary(frame).shape[1] + 2 * frame.width
    return builder.node("Reshape", joined, builder.constant(np.array([-1, width])))


def _summary(frame: Frame) -> Floats:
    """[window, width]: a window times this gives its last values, means over several lengths, and its drift."""
    window, season = frame.form.window, frame.form.season
    columns = [_mean(window, window - back, window - back + 1) for back in range(1, min(RECENT, window) + 1)]
    columns += [_mean(window, window - size, window) for size in _lengths(window, season)]
    half = frame.recent if 2 * frame.recent <= window else max(1, window // 2)
    columns.append(_mean(window, window - half, window) - _mean(window, window - 2 * half, window - half))
    return np.column_stack(columns)


def _lengths(window: int, season: int) -> list[int]:
    return sorted({size for size in (3, season // 2, 2 * season, window) if 1 < size <= window})


def _mean(window: int, start: int, end: int) -> Floats:
    places = np.zeros(window)
    places[start:end] = 1 / (end - start)
    return places


def _seasons(frame: Frame) -> list[Integers]:
    """Where in the window the last values in each step's place of the season are."""
    return [frame.seasonal(back) for back in range(min(SEASONS, frame.form.window // frame.form.season))]
