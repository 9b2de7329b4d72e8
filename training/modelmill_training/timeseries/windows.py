"""Origins: the moments from which the steps ahead are forecast, and what is known at each."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from modelmill.models.frequency import future_parts
from modelmill_training.data import Floats, Integers
from modelmill_training.failures import TrainingFailure
from modelmill_training.split import TEST_SHARE, Split
from modelmill_training.timeseries.series import Panel, Series

MIN_TRAIN_ORIGINS = 8
# Steps to learn from and origins to evaluate at most; of more a random sample is taken.
MAX_TRAIN_STEPS = 200_000
MAX_EVALUATED = 2_000


class Form(NamedTuple):
    """Steps of history, steps ahead, steps of a season."""

    window: int
    horizon: int
    season: int


@dataclass(frozen=True, slots=True)
class Windows:
    """N origins.

    history [N, window]; future [N, horizon, parts] as the signature says; truth [N, horizon], NaN where no value was
    given; naive_error [N] the seasonal naive error of each one's series over its training part, 0 if it has none.
    series [N], origin [N]: where in the panel each is; the first step ahead is the origin.
    """

    history: Floats
    future: Floats
    truth: Floats
    naive_error: Floats
    series: Integers
    origin: Integers


@dataclass(frozen=True, slots=True)
class Parts:
    """Rolling origins: the steps ahead of a part lie in that part alone, the test part at the end of each series."""

    train: Windows
    validation: Windows
    test: Windows

    def items(self) -> dict[str, Windows]:
        """By name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def held_out(steps: int, horizon: int) -> int:
    """The length of the validation part, and of the test part after it."""
    return max(horizon, round(TEST_SHARE * steps))


def usable(panel: Panel, form: Form) -> Panel:
    """The series that are long enough and not constant.

    Raises:
        TrainingFailure: series_too_short or constant_series, when none is left.
    """
    needed = steps_needed(form)
    kept, dropped = [], list(panel.dropped)
    for each in panel.series:
        if len(each.values) < needed:
            reason = f"has {len(each.values)} steps; window {form.window} and horizon {form.horizon} need {needed}"
        elif np.ptp(each.values[: -2 * held_out(len(each.values), form.horizon)]) == 0:
            reason = "has the same value at every step of its training part"
        else:
            kept.append(each)
            continue
        dropped.append({"column": each.name or "series", "reason": reason})
    if not kept:
        code = "constant_series" if "same value" in dropped[-1]["reason"] else "series_too_short"
        hint = "ask for a shorter horizon or window, or add rows" if code == "series_too_short" else "add rows"
        raise TrainingFailure(code, f"No series can be trained on: {dropped[-1]['column']} {reason}; {hint}.")
    return Panel(panel.frequency, kept, panel.features, dropped)


def steps_needed(form: Form) -> int:
    """For a window, MIN_TRAIN_ORIGINS forecasts from it, and two parts that are held out."""
    steps = form.window + form.horizon + MIN_TRAIN_ORIGINS - 1
    needed = steps + 2 * form.horizon
    while needed - 2 * held_out(needed, form.horizon) < steps:
        needed += 1
    return needed


def cut(panel: Panel, form: Form, seed: int) -> Parts:
    """The origins of each part, of every series."""
    random = np.random.default_rng(seed)
    places: dict[str, list[tuple[int, Integers]]] = {"train": [], "validation": [], "test": []}
    for number, each in enumerate(panel.series):
        steps, part = len(each.values), held_out(len(each.values), form.horizon)
        ends = {"train": steps - 2 * part, "validation": steps - part, "test": steps}
        starts = {"train": form.window, "validation": steps - 2 * part, "test": steps - part}
        for name, end in ends.items():
            places[name].append((number, np.arange(starts[name], end - form.horizon + 1)))
    limits = {"train": max(MIN_TRAIN_ORIGINS, MAX_TRAIN_STEPS // form.horizon)}
    return Parts(
        **{
            name: _windows(panel, form, found, limits.get(name, MAX_EVALUATED), random)
            for name, found in places.items()
        }
    )


def _windows(
    panel: Panel, form: Form, places: list[tuple[int, Integers]], limit: int, random: np.random.Generator
) -> Windows:
    series = np.concatenate([np.full(len(origins), number) for number, origins in places])
    origin = np.concatenate([origins for _, origins in places])
    if len(origin) > limit:
        chosen = np.sort(random.choice(len(origin), limit, replace=False))
        series, origin = series[chosen], origin[chosen]
    pieces = [_of_series(panel.series[number], form, origin[series == number]) for number in np.unique(series)]
    history, future, truth, error = (np.concatenate(part) for part in zip(*pieces, strict=True))
    return Windows(history, future, truth, error, series, origin)


def _of_series(each: Series, form: Form, origins: Integers) -> tuple[Floats, Floats, Floats, Floats]:
    truth = np.where(each.known, each.values, np.nan)
    known = np.column_stack([future_parts(each.times), each.features])
    ahead = np.moveaxis(sliding_window_view(known, form.horizon, axis=0), 2, 1)
    return (
        sliding_window_view(each.values, form.window)[origins - form.window].copy(),
        ahead[origins].copy(),
        sliding_window_view(truth, form.horizon)[origins].copy(),
        np.full(len(origins), _naive_error(each, form)),
    )


def _naive_error(each: Series, form: Form) -> float:
    train = each.values[: -2 * held_out(len(each.values), form.horizon)]
    return float(np.abs(train[form.season :] - train[: -form.season]).mean())


def rows_of(panel: Panel, horizon: int, seed: int) -> tuple[Split, Integers]:
    """Which rows of the dataset lie in which part, and the rows [N] that lie in any, ascending."""
    rows, parts = [], []
    for each in panel.series:
        steps, part = len(each.values), held_out(len(each.values), horizon)
        place = np.arange(steps)
        given = each.rows >= 0
        rows.append(each.rows[given])
        parts.append(((place >= steps - 2 * part).astype(int) + (place >= steps - part))[given])
    present, of_part = np.concatenate(rows), np.concatenate(parts)
    order = np.argsort(present)
    train, validation, test = (np.flatnonzero(of_part[order] == number) for number in range(3))
    return Split(train, validation, test, seed, False, False, 0), present[order]
