"""The rows of a dataset as series of equal steps."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill.datasets.schema import Schema
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.frequency import following, infer, places, spoken
from modelmill_training.data import Floats, Integers, decode_numbers, read_arrow
from modelmill_training.environment import Environment
from modelmill_training.failures import TrainingFailure

# A longer hole, or more holes than this, would make the filled values the data.
LONGEST_GAP = 10
GAP_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Series:
    """One series without holes.

    times [n] in seconds; values [n] and features [n, k], holes filled along a line; known [n] where a value was given;
    rows [n] of the dataset, -1 where there was none.
    """

    name: str
    times: NDArray[np.datetime64]
    values: Floats
    features: Floats
    known: NDArray[np.bool_]
    rows: Integers


@dataclass(frozen=True, slots=True)
class Panel:
    """All series of a dataset; `frequency` is a name of `models.frequency`, `dropped` says which are not used."""

    frequency: str
    series: list[Series]
    features: list[str]
    dropped: list[dict[str, str]] = field(default_factory=list)

    @property
    def filled(self) -> int:
        """How many steps had no value."""
        return sum(int(np.count_nonzero(~each.known)) for each in self.series)


def read_panel(environment: Environment, spec: TrainingSpec, schema: Schema) -> Panel:
    """The series, in order of their names.

    Raises:
        TrainingFailure: duplicate_times, irregular_frequency or gaps, each with the series and the time.
    """
    features = spec.features or []
    names = [name for name in (spec.time, spec.target, spec.series, *features) if name is not None]
    table = read_arrow(environment.data_file, schema, names)
    times = table[spec.time].cast("timestamp[us]").to_numpy().astype("datetime64[s]")
    values = decode_numbers(table[spec.target])
    known = [decode_numbers(table[name]) for name in features]
    columns = np.column_stack([values, *known])
    groups = _groups(table, spec.series, len(times))
    ordered = {name: rows[np.argsort(times[rows], kind="stable")] for name, rows in groups.items()}
    ordered = {name: _trimmed(rows, values) for name, rows in ordered.items() if not np.isnan(values[rows]).all()}
    for name, rows in ordered.items():
        _check_distinct(name, times[rows])
    frequency = infer([times[rows] for rows in ordered.values()])
    if frequency is None:
        raise TrainingFailure("irregular_frequency", _irregular(ordered, times))
    series = [_series(name, rows, times[rows], columns[rows], frequency) for name, rows in ordered.items()]
    return Panel(frequency, series, features)


def _groups(table: Any, column: str | None, rows: int) -> dict[str, Integers]:
    if column is None:
        return {"": np.arange(rows)}
    names = np.array([str(name) for name in table[column].to_pylist()], dtype=object)
    known, group = np.unique(names.astype(str), return_inverse=True)
    return {str(name): np.flatnonzero(group == place) for place, name in enumerate(known)}


def _trimmed(rows: Integers, values: Floats) -> Integers:
    """Without the rows before the first and after the last value."""
    given = np.flatnonzero(~np.isnan(values[rows]))
    return rows[given[0] : given[-1] + 1]


def _check_distinct(name: str, times: NDArray[np.datetime64]) -> None:
    same = np.flatnonzero(np.diff(times) == np.timedelta64(0, "s"))
    if len(same):
        hint = "keep one row per time, or name the column `series` that tells several series apart"
        raise TrainingFailure("duplicate_times", f"{_named(name)} has {times[same[0]]} more than once: {hint}.")


def _irregular(ordered: dict[str, Integers], times: NDArray[np.datetime64]) -> str:
    for name, rows in ordered.items():
        distances = np.diff(times[rows]).astype(np.int64)
        if not len(distances):
            continue
        values, counts = np.unique(distances, return_counts=True)
        usual = values[counts.argmax()]
        odd = np.flatnonzero(distances % usual != 0)
        if len(odd):
            pair = f"{times[rows[odd[0]]]} and {times[rows[odd[0] + 1]]}"
            return f"{_named(name)} has mostly steps of {usual} s, but {pair} do not fit; make all steps equally long."
    return "The times of the series have no common step; make all steps equally long."


def _series(name: str, rows: Integers, times: NDArray[np.datetime64], columns: Floats, frequency: str) -> Series:
    place = places(frequency, times)
    steps = int(place[-1]) + 1
    full = np.full((steps, columns.shape[1]), np.nan) if steps <= 2 * len(rows) + LONGEST_GAP else None
    if full is None:
        raise TrainingFailure("gaps", _too_many(name, steps - len(rows), steps, frequency))
    full[place] = columns
    known = ~np.isnan(full[:, 0])
    _check_gaps(name, known, times[0], frequency)
    filled = np.column_stack([_filled(name, column) for column in full.T])
    numbers = np.full(steps, -1, dtype=np.int64)
    numbers[place] = rows
    moments = np.concatenate([times[:1], following(frequency, times[0], steps - 1)])
    return Series(name, moments, filled[:, 0], filled[:, 1:], known, numbers)


def _check_gaps(name: str, known: NDArray[np.bool_], first: np.datetime64, frequency: str) -> None:
    missing = int(np.count_nonzero(~known))
    if missing > GAP_SHARE * len(known):
        raise TrainingFailure("gaps", _too_many(name, missing, len(known), frequency))
    given = np.flatnonzero(known)
    longest = int(np.diff(given).max(initial=1)) - 1
    if longest > LONGEST_GAP:
        start = following(frequency, first, int(given[np.diff(given).argmax()]) + 1)[-1]
        where = f"{_named(name)} has no values for {longest} steps of one {spoken(frequency)} from {start} on"
        raise TrainingFailure("gaps", f"{where}; at most {LONGEST_GAP} in a row are filled, so add them.")


def _too_many(name: str, missing: int, steps: int, frequency: str) -> str:
    got = f"{_named(name)} has no value at {missing} of {steps} steps of one {spoken(frequency)}"
    return f"{got}; at most {GAP_SHARE:.0%} are filled, so add the missing rows or make the steps longer."


def _filled(name: str, column: Floats) -> Floats:
    """Holes along the straight line between their neighbours."""
    given = np.flatnonzero(~np.isnan(column))
    if not len(given):
        raise TrainingFailure("missing_features", f"{_named(name)} has a feature without a single value; leave it out.")
    return np.interp(np.arange(len(column)), given, column[given])


def _named(name: str) -> str:
    return f"The series {name[:80]!r}" if name else "The series"
