"""The rows of a dataset as series of equal steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelmill.datasets.schema import Schema
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.frequency import SHORTEST_MONTH, following, infer, places, spoken
from modelmill.models.history import GAP_SHARE, LARGEST, LONGEST_GAP, carried, gap_of, interpolated
from modelmill.models.signature import Feature
from modelmill_training.data import Categories, Floats, Integers, decode_column, decode_numbers, read_arrow
from modelmill_training.environment import Environment
from modelmill_training.failures import TrainingFailure

MAX_EXAMPLES = 3
DAY = 86_400

Moments = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Series:
    """One series of n equal steps.

    times [n] in seconds. values [n], holes filled; known [n] where a value was given.
    numeric [n, k], holes filled with the value before, NaN before the first; codes [n, c] into the panel's names.
    rows [n] of the dataset, -1 where there was none.
    """

    name: str
    times: Moments
    values: Floats
    known: NDArray[np.bool_]
    numeric: Floats
    codes: Integers
    rows: Integers


@dataclass(frozen=True, slots=True)
class Panel:
    """All series of a dataset.

    frequency: a name of `models.frequency`. features: the further columns.
    names: of each categorical column what its codes stand for, "" last for what is missing.
    dropped: which series are not used, and why.
    """

    frequency: str
    series: list[Series]
    features: list[Feature]
    names: list[list[str]]
    dropped: list[dict[str, str]] = field(default_factory=list)

    @property
    def filled(self) -> int:
        """How many steps had no value."""
        return sum(int(np.count_nonzero(~each.known)) for each in self.series)


class _Columns(NamedTuple):
    """By row of the dataset."""

    times: Moments
    values: Floats
    numeric: Floats
    codes: Integers


def read_panel(environment: Environment, spec: TrainingSpec, schema: Schema) -> Panel:
    """The series, in order of their names.

    Raises:
        TrainingFailure: duplicate_times, irregular_times or gaps, each with series and times.
    """
    features = _features(spec, schema)
    wanted = [spec.time, spec.target, spec.series, *(feature.name for feature in features)]
    table = read_arrow(environment.data_file, schema, [name for name in wanted if name is not None])
    columns, names = _columns(table, spec, features)
    groups = {name: _ordered(rows, columns) for name, rows in _groups(table, spec.series).items()}
    groups = {name: rows for name, rows in groups.items() if len(rows)}
    _check_distinct(groups, columns.times)
    frequency = infer([columns.times[rows] for rows in groups.values()])
    if frequency is None:
        raise TrainingFailure("irregular_times", _irregular(groups, columns.times))
    series, dropped = _without_holes(groups, columns, frequency)
    return Panel(frequency, series, features, names, dropped)


def _without_holes(
    groups: dict[str, Integers], columns: _Columns, frequency: str
) -> tuple[list[Series], list[dict[str, str]]]:
    """The series, and those with too many holes."""
    series, failures = [], {}
    for name, rows in groups.items():
        try:
            series.append(_series(name, rows, columns, frequency))
        except TrainingFailure as failure:
            failures[name] = failure
    if not series:
        raise next(iter(failures.values()))
    return series, [{"column": name, "reason": failure.message} for name, failure in failures.items()]


def _features(spec: TrainingSpec, schema: Schema) -> list[Feature]:
    """In the schema's order, numbers and categories counted apart."""
    counts = {"numeric": 0, "categorical": 0}
    features = []
    for column in schema.columns:
        if column.name in (spec.features or []):
            tensor: Any = "categorical" if column.type == "category" else "numeric"
            features.append(Feature(column.name, column.type, tensor, counts[tensor]))
            counts[tensor] += 1
    return features


def _columns(table: Any, spec: TrainingSpec, features: list[Feature]) -> tuple[_Columns, list[list[str]]]:
    moments = table[spec.time].cast("timestamp[us]").to_numpy().astype("datetime64[us]")
    times = moments.astype("datetime64[s]")
    if (times != moments).any():
        raise TrainingFailure("irregular_times", "Some times have parts of a second; expected steps of whole seconds.")
    values = decode_numbers(table[spec.target])
    if np.nanmax(np.abs(values), initial=0) > LARGEST:
        raise TrainingFailure("values_too_large", f"The target has values beyond {LARGEST:g}; divide them first.")
    numeric = [decode_numbers(table[each.name]) for each in features if each.input == "numeric"]
    words = [decode_column(table[each.name], "category") for each in features if each.input == "categorical"]
    found = [each for each in words if isinstance(each, Categories)]
    # Missing has its code at the end.
    codes = [np.where(each.codes < 0, len(each.names), each.codes) for each in found]
    columns = _Columns(times, values, _stacked(numeric, len(times)), _codes(codes, len(times)))
    return columns, [[*each.names, ""] for each in found]


def _stacked(columns: list[Floats], rows: int) -> Floats:
    return np.column_stack(columns) if columns else np.zeros((rows, 0))


def _codes(columns: list[Integers], rows: int) -> Integers:
    return np.column_stack(columns) if columns else np.zeros((rows, 0), dtype=np.int64)


def _groups(table: Any, column: str | None) -> Mapping[str, Integers]:
    if column is None:
        return {"": np.arange(table.num_rows)}
    names = np.array([str(name) for name in table[column].to_pylist()], dtype=np.str_)
    known, group = np.unique(names, return_inverse=True)
    order = np.argsort(group, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(group))[:-1])
    return dict(zip(known.tolist(), parts, strict=True))


def _ordered(rows: Integers, columns: _Columns) -> Integers:
    """By time, without those before the first and after the last value."""
    rows = rows[np.argsort(columns.times[rows], kind="stable")]
    given = np.flatnonzero(~np.isnan(columns.values[rows]))
    return rows[given[0] : given[-1] + 1] if len(given) else rows[:0]


def _check_distinct(groups: dict[str, Integers], times: Moments) -> None:
    found = [
        f"{_named(name)} has {moment} more than once"
        for name, rows in groups.items()
        for moment in np.unique(times[rows][1:][np.diff(times[rows]) == np.timedelta64(0, "s")])[:MAX_EXAMPLES]
    ]
    if found:
        hint = "keep one row per time, or name the column `series` that tells several series apart"
        raise TrainingFailure("duplicate_times", f"{'; '.join(found[:MAX_EXAMPLES])}: {hint}.")


def _irregular(groups: dict[str, Integers], times: Moments) -> str:
    for name, rows in groups.items():
        distances = np.diff(times[rows]).astype(np.int64)
        usual = _most_frequent(distances) if len(distances) else 0
        if usual >= SHORTEST_MONTH * DAY:
            return _off_the_day(name, times[rows])
        odd: Integers = np.flatnonzero(distances % max(1, usual) != 0)
        if len(odd):
            pair = f"{times[rows[odd[0]]]} and {times[rows[odd[0] + 1]]}"
            return f"{_named(name)} has mostly steps of {usual} s, but {pair} do not fit; make all steps equally long."
    return "The times of the series have no common step; make all steps equally long."


def _off_the_day(name: str, times: Moments) -> str:
    days = (times.astype("datetime64[D]") - times.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
    usual = _most_frequent(days)
    odd = times[days != usual]
    found = f"{odd[0]} is not" if len(odd) else "not at one time of it"
    return f"{_named(name)} has mostly times on day {usual} of the month, but {found}; move all to the same day."


def _most_frequent(numbers: Integers) -> int:
    values, counts = np.unique(numbers, return_counts=True)
    return int(values[counts.argmax()])


def _series(name: str, rows: Integers, columns: _Columns, frequency: str) -> Series:
    place = places(frequency, columns.times[rows])
    steps = int(place[-1]) + 1
    if steps - len(rows) > GAP_SHARE * steps:
        raise TrainingFailure("gaps", _too_many(name, steps - len(rows), steps, frequency))
    first = columns.times[rows[:1]]
    times = np.concatenate([first, following(frequency, first[0], steps - 1)])
    values, numeric = (np.full((steps, *column.shape[1:]), np.nan) for column in (columns.values, columns.numeric))
    values[place], numeric[place] = columns.values[rows], columns.numeric[rows]
    codes = np.full((steps, columns.codes.shape[1]), -1, dtype=np.int64)
    codes[place] = columns.codes[rows]
    numbers = np.full(steps, -1, dtype=np.int64)
    numbers[place] = rows
    _check_gaps(name, values, times, frequency)
    return Series(name, times, interpolated(values), ~np.isnan(values), carried(numeric), codes, numbers)


def _check_gaps(name: str, values: Floats, times: Moments, frequency: str) -> None:
    missing = int(np.count_nonzero(np.isnan(values)))
    if missing > GAP_SHARE * len(values):
        raise TrainingFailure("gaps", _too_many(name, missing, len(values), frequency))
    longest, start = gap_of(values)
    if longest > LONGEST_GAP:
        where = f"{_named(name)} has no values for {longest} steps of one {spoken(frequency)} from {times[start]} on"
        raise TrainingFailure("gaps", f"{where}; at most {LONGEST_GAP} in a row are filled, so add them.")


def _too_many(name: str, missing: int, steps: int, frequency: str) -> str:
    got = f"{_named(name)} has no value at {missing} of {steps} steps of one {spoken(frequency)}"
    return f"{got}; at most {GAP_SHARE:.0%} are filled, so add the missing rows or make the steps longer."


def _named(name: str) -> str:
    return f"The series {name[:80]!r}" if name else "The series"
