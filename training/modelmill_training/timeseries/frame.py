"""What all forecasters share: each window is brought to its own level and scale, and back.

A series that grows leaves the range that trees and networks have learned from; its windows, shifted by the mean of
their last season and divided by their deviation, do not. The same arithmetic in double precision stands here twice, in
numpy and as nodes of a graph.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from modelmill_training.data import Floats, Integers
from modelmill_training.onnx_graph import DOUBLE, INT64, ML_DOMAIN, GraphBuilder, doubles
from modelmill_training.timeseries.series import Panel
from modelmill_training.timeseries.windows import Form, Windows

# Of values in units of a window's deviation: what lies further out is an outlier.
LIMIT = 20.0
MAX_CATEGORIES = 50
# A deviation of this share of the level is that of a constant.
FLAT = 1e-9


class Scaled(NamedTuple):
    """N windows in their own units.

    base [N, horizon]: the last season, repeated, in units of the series. scale [N, 1].
    gain [N, 1]: what corrections of the base are multiplied by: the scale, or 0 where the window is constant, so that
        it goes on as it is. level [N, 1]: the mean of the last season. lags [N, window]: (history - level) / scale.
    """

    base: Floats
    scale: Floats
    gain: Floats
    level: Floats
    lags: Floats


class Names(NamedTuple):
    """The same in a graph, and `covariates` [N, window, width], double; "" where there are none."""

    base: str
    scale: str
    gain: str
    lags: str
    covariates: str


@dataclass(frozen=True, slots=True)
class Frame:
    """How windows of a form are read.

    means, deviations [k]: of the numeric columns of the training windows. vocabularies: the most frequent categories of
    each other column. names: what the codes of each stand for.
    """

    form: Form
    means: Floats
    deviations: Floats
    vocabularies: list[list[str]]
    names: list[list[str]]

    @property
    def width(self) -> int:
        """Of the covariates."""
        return len(self.means) + sum(map(len, self.vocabularies))

    def scale(self, windows: Windows) -> Scaled:
        """The windows in their own units."""
        history = windows.history
        level = history[:, -self.recent :].mean(axis=1, keepdims=True)
        centred = history - history.mean(axis=1, keepdims=True)
        deviation = np.sqrt(np.square(centred).mean(axis=1, keepdims=True))
        size = np.abs(level)
        varies = deviation > FLAT * size
        scale = np.where(varies, deviation, np.where(size > 0, size, 1.0))
        lags = np.clip((history - level) / scale, -LIMIT, LIMIT)
        return Scaled(history[:, self.seasonal(0)], scale, np.where(varies, scale, 0.0), level, lags)

    @property
    def recent(self) -> int:
        """Steps whose mean is the level: a season, or half a window where there is none."""
        return self.form.season if self.form.season > 1 else max(1, self.form.window // 2)

    def seasonal(self, back: int) -> Integers:
        """[horizon] the place in the window of the last value in each step's place of the season, or of one `back`."""
        window, horizon, season = self.form
        return window - season * (1 + back) + np.arange(horizon) % season

    def covariates(self, windows: Windows, steps: int) -> Floats:
        """[N, steps, width] of the last steps: standardised numbers, then one place for each category."""
        numbers = (windows.numeric[:, -steps:] - self.means) / self.deviations
        parts = [np.clip(np.where(np.isnan(numbers), 0.0, numbers), -LIMIT, LIMIT)]
        for place, (vocabulary, names) in enumerate(zip(self.vocabularies, self.names, strict=True)):
            known = np.array([vocabulary.index(name) if name in vocabulary else -1 for name in names])
            parts.append((known[windows.codes[:, -steps:, place]][..., None] == np.arange(len(vocabulary))) * 1.0)
        return np.concatenate(parts, axis=2)

    def write(self, builder: GraphBuilder) -> Names:
        """The nodes of `scale` and `covariates` on the inputs `history`, `numeric` and `categorical`."""
        axis = builder.constant(np.array([1]))
        last = builder.constant(np.arange(self.form.window - self.recent, self.form.window))
        level = builder.node("ReduceMean", builder.node("Gather", "history", last, axis=1), axis)
        centred = builder.node("Sub", "history", builder.node("ReduceMean", "history", axis))
        deviation = builder.node("Sqrt", builder.node("ReduceMean", builder.node("Mul", centred, centred), axis))
        size = builder.node("Abs", level)
        zero, one, flat = (builder.constant(doubles(number)) for number in (0.0, 1.0, FLAT))
        otherwise = builder.node("Where", builder.node("Greater", size, zero), size, one)
        varies = builder.node("Greater", deviation, builder.node("Mul", flat, size))
        scale = builder.node("Where", varies, deviation, otherwise)
        gain = builder.node("Where", varies, deviation, zero)
        lags = _clipped(builder, builder.node("Div", builder.node("Sub", "history", level), scale))
        base = builder.node("Gather", "history", builder.constant(self.seasonal(0)), axis=1)
        return Names(base, scale, gain, lags, self._write_covariates(builder))

    def _write_covariates(self, builder: GraphBuilder) -> str:
        parts = []
        if len(self.means):
            centred = builder.node("Sub", "numeric", builder.constant(self.means))
            numbers = builder.node("Div", centred, builder.constant(self.deviations))
            filled = builder.node("Where", builder.node("IsNaN", numbers), builder.constant(doubles(0.0)), numbers)
            parts.append(_clipped(builder, filled))
        for place, vocabulary in enumerate(self.vocabularies):
            column = builder.node("Gather", "categorical", builder.constant(np.array([place])), axis=2)
            keys: dict[str, Any] = {
                "keys_strings": vocabulary,
                "values_int64s": list(range(len(vocabulary))),
                "default_int64": -1,
            }
            codes = builder.node("LabelEncoder", column, domain=ML_DOMAIN, **keys)
            ones = builder.node("Equal", builder.cast(codes, INT64), builder.constant(np.arange(len(vocabulary))))
            parts.append(builder.cast(ones, DOUBLE))
        return builder.node("Concat", *parts, axis=2) if parts else ""


def fit_frame(panel: Panel, form: Form, train: Windows) -> Frame:
    """The frame of a form, its statistics from the training windows."""
    known = np.nan_to_num(np.nanmean(_finite(train.numeric), axis=(0, 1))) if train.numeric.shape[2] else np.zeros(0)
    spread = np.nan_to_num(np.nanstd(_finite(train.numeric), axis=(0, 1))) if train.numeric.shape[2] else np.zeros(0)
    vocabularies = [_vocabulary(train.codes[:, :, place], names) for place, names in enumerate(panel.names)]
    return Frame(form, known, np.where(spread > 0, spread, 1.0), vocabularies, panel.names)


def _finite(numeric: Floats) -> Floats:
    """A zero in place of a column without a single value, whose mean would be none."""
    empty = np.isnan(numeric).all(axis=(0, 1))
    return np.where(empty, 0.0, numeric)


def _vocabulary(codes: Integers, names: list[str]) -> list[str]:
    counts = np.bincount(codes.ravel() % len(names), minlength=len(names))
    seen = sorted(
        (place for place in range(len(names)) if counts[place]), key=lambda place: (-counts[place], names[place])
    )
    return sorted(names[place] for place in seen[:MAX_CATEGORIES])


def _clipped(builder: GraphBuilder, value: str) -> str:
    low, high = (builder.constant(doubles(limit)) for limit in (-LIMIT, LIMIT))
    return builder.node("Clip", value, low, high)
