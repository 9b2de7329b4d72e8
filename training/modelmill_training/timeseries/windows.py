"""Origins: the moments from which the steps ahead are forecast, and what is known at each."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from modelmill.jobs.catalogue.timeseries import MIN_TRAIN_ORIGINS, points_needed
from modelmill.models.frequency import step_parts
from modelmill_training.data import Floats, Integers
from modelmill_training.failures import TrainingFailure
from modelmill_training.split import TEST_SHARE, Split
from modelmill_training.timeseries.series import Panel, Series

# Steps to learn from, values of their histories, and origins to evaluate at most; of more a random sample is taken.
MAX_TRAIN_STEPS = 200_000
MAX_HISTORY_VALUES = 20_000_000
MAX_EVALUATED = 2_000


class Form(NamedTuple):
    """Steps of history, steps ahead, steps of a season."""

    window: int
    horizon: int
    season: int


@dataclass(frozen=True, slots=True)
class Windows:
    """N origins; the first step ahead is the origin.

    history [N, window], numeric [N, window, k] and codes [N, window, c]: what is known, see `Series`.
    steps [N, horizon, 5]: the times ahead, see STEP_PARTS.
    target [N, horizon]: what comes, holes filled; known: whether a value was given.
    naive_error [N]: the mean |y_t - y_(t - season)| of the training part of each one's series.
    series [N], origin [N]: where in the panel each is.
    """

    history: Floats
    numeric: Floats
    codes: Integers
    steps: Floats
    target: Floats
    known: NDArray[np.bool_]
    naive_error: Floats
    series: Integers
    origin: Integers

    @property
    def truth(self) -> Floats:
        """[N, horizon], NaN where no value was given."""
        return np.where(self.known, self.target, np.nan)

    def take(self, rows: Any) -> "Windows":
        """Some origins."""
        return Windows(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Parts:
    """Rolling origins: the steps ahead of a part lie in that part alone, the test part at the end of each series."""

    train: Windows
    validation: Windows
    test: Windows

    def items(self) -> dict[str, Windows]:
        """By name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def joined(one: Windows, other: Windows) -> Windows:
    """The origins of both."""
    pairs = ((getattr(one, name), getattr(other, name)) for name in Windows.__slots__)
    return Windows(*(np.concatenate(pair) for pair in pairs))


def held_out(steps: int, horizon: int) -> int:
    """The length of the validation part, and of the test part after it."""
    return max(horizon, round(TEST_SHARE * steps))


def steps_needed(form: Form) -> int:
    """Of a series; the parts that are held out grow with it."""
    needed = points_needed(form.horizon, form.window)
    learned = needed - 2 * form.horizon
    while needed - 2 * held_out(needed, form.horizon) < learned:
        needed += 1
    return needed


def usable(panel: Panel, form: Form) -> Panel:
    """The series that are long enough and not constant.

    Raises:
        TrainingFailure: series_too_short or constant_series, when none is left.
    """
    needed = steps_needed(form)
    kept, dropped, longest = [], list(panel.dropped), max(len(each.values) for each in panel.series)
    for each in panel.series:
        if len(each.values) < needed:
            reason = f"has {len(each.values)} points; window {form.window} and horizon {form.horizon} need {needed}"
        elif np.ptp(each.values[: -2 * held_out(len(each.values), form.horizon)]) == 0:
            reason = "has the same value at every step of its training part"
        else:
            kept.append(each)
            continue
        dropped.append({"column": each.name or "series", "reason": reason})
    if not kept and longest < needed:
        asked = f"a window of {form.window} steps and a horizon of {form.horizon} need at least {needed}"
        raise TrainingFailure(
            "series_too_short",
            f"The longest series has {longest} points; {asked}: ask for a shorter horizon or window, or add rows.",
        )
    if not kept:
        raise TrainingFailure("constant_series", f"Nothing can be learned: {dropped[-1]['column']} {reason}.")
    return Panel(panel.frequency, kept, panel.features, panel.names, dropped)


def cut(panel: Panel, form: Form, seed: int) -> Parts:
    """The origins of each part, of every series."""
    random = np.random.default_rng(seed)
    width = form.window * (1 + len(panel.features))
    learned = max(MIN_TRAIN_ORIGINS, min(MAX_TRAIN_STEPS // form.horizon, MAX_HISTORY_VALUES // width))
    evaluated = max(1, min(MAX_EVALUATED, learned))
    places = {name: [_origins(each, form, name) for each in panel.series] for name in ("train", "validation", "test")}
    limits = {"train": learned, "validation": evaluated, "test": evaluated}
    return Parts(**{name: _windows(panel, form, found, limits[name], random) for name, found in places.items()})


def _origins(each: Series, form: Form, part: str) -> Integers:
    """Only after a given value: a hole before it would be filled with what comes."""
    steps, size = len(each.values), held_out(len(each.values), form.horizon)
    start = {"train": form.window, "validation": steps - 2 * size, "test": steps - size}[part]
    end = {"train": steps - 2 * size, "validation": steps - size, "test": steps}[part]
    origins = np.arange(start, end - form.horizon + 1)
    return origins[each.known[origins - 1]]


def _windows(panel: Panel, form: Form, places: list[Integers], limit: int, random: np.random.Generator) -> Windows:
    series = np.concatenate([np.full(len(origins), number) for number, origins in enumerate(places)])
    origin = np.concatenate(places)
    if len(origin) > limit:
        chosen = np.sort(random.choice(len(origin), limit, replace=False))
        series, origin = series[chosen], origin[chosen]
    pieces = [_of_series(panel.series[number], number, form, origin[series == number]) for number in np.unique(series)]
    if not pieces:
        raise TrainingFailure("gaps", "No held-out step follows a given value; add the missing values.")
    return Windows(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in Windows.__slots__))


def _of_series(each: Series, number: int, form: Form, origins: Integers) -> Windows:
    past, ahead = origins - form.window, origins
    return Windows(
        history=_slices(each.values, form.window, past),
        numeric=_slices(each.numeric, form.window, past),
        codes=_slices(each.codes, form.window, past),
        steps=_slices(step_parts(each.times), form.horizon, ahead),
        target=_slices(each.values, form.horizon, ahead),
        known=_slices(each.known, form.horizon, ahead),
        naive_error=np.full(len(origins), _naive_error(each, form)),
        series=np.full(len(origins), number),
        origin=origins,
    )


def _slices(array: NDArray[Any], length: int, starts: Integers) -> NDArray[Any]:
    """[N, length, ...] of [n, ...]."""
    views = sliding_window_view(array, length, axis=0)[starts]
    return np.ascontiguousarray(np.moveaxis(views, -1, 1))


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
