"""How far apart the steps of a time series are, and which times come next; training and serving share it.

A frequency is a name: `3600s` for a fixed number of seconds, `business_day` for Monday to Friday, `3mo@15` for a number
of months on a day of the month, where 31 is the last day of each.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill.models.signature import STEP_PARTS

Moments = NDArray[np.datetime64]

_NAME = re.compile(
    r"(?:(?P<seconds>[1-9]\d{0,9})s|business_day|(?P<months>[1-9]\d{0,3})mo@(?P<day>[1-9]|[12]\d|3[01]))"
)
_SPOKEN = {1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}
_SPOKEN_MONTHS = {1: "month", 3: "quarter", 12: "year"}
MONTH_END = 31
SHORTEST_MONTH = 28


def is_frequency(name: str) -> bool:
    """Whether it is the name of one."""
    return _NAME.fullmatch(name) is not None


def spoken(name: str) -> str:
    """For people: `hour`, `business day`, `2 weeks`."""
    seconds, months, _ = _parts(name)
    if months:
        return _SPOKEN_MONTHS.get(months, f"{months} months")
    if not seconds:
        return "business day"
    if seconds in _SPOKEN:
        return _SPOKEN[seconds]
    unit = max(size for size in _SPOKEN if seconds % size == 0)
    return f"{seconds // unit} {_SPOKEN[unit]}s"


def places(name: str, times: Moments) -> NDArray[np.int64]:
    """The number of steps from the first of ascending `times` [N] to each; -1 for a time that lies between steps."""
    seconds, months, day = _parts(name)
    times = times.astype("datetime64[s]")
    if months:
        passed = (times.astype("datetime64[M]") - times[0].astype("datetime64[M]")).astype(np.int64)
        fits = (_days(times) == np.minimum(day, _lengths(times))) & (passed % months == 0) & _same_clock(times)
        return np.where(fits, passed // months, -1)
    if seconds:
        gone = (times - times[0]).astype(np.int64)
        return np.where(gone % seconds == 0, gone // seconds, -1)
    dates = times.astype("datetime64[D]")
    counted = np.busday_count(dates[0], dates).astype(np.int64)
    return np.where(np.is_busday(dates) & _same_clock(times), counted, -1)


def following(name: str, last: np.datetime64, count: int) -> Moments:
    """The `count` times after `last`, in seconds."""
    seconds, months, day = _parts(name)
    last = last.astype("datetime64[s]")
    ahead = np.arange(1, count + 1)
    if seconds:
        return np.asarray(last + ahead * np.timedelta64(seconds, "s"))
    clock = last - last.astype("datetime64[D]").astype("datetime64[s]")
    if not months:
        dates: Any = np.busday_offset(last.astype("datetime64[D]"), ahead, roll="backward")
        return np.asarray(dates.astype("datetime64[s]") + clock)
    month = (last.astype("datetime64[M]") + ahead * np.timedelta64(months, "M")).astype("datetime64[s]")
    place = np.minimum(day, _lengths(month)) - 1
    return np.asarray(month + place * np.timedelta64(86400, "s") + clock)


def step_parts(times: Moments) -> NDArray[np.float64]:
    """STEP_PARTS [n, 5] of times."""
    seconds, days = times.astype("datetime64[s]").astype(np.int64), times.astype("datetime64[D]")
    months = times.astype("datetime64[M]")
    parts = {
        "epoch_seconds": seconds,
        "month": months.astype(np.int64) % 12 + 1,
        "day": (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
        "weekday": (days.astype(np.int64) + 3) % 7,
        "hour": seconds // 3600 % 24,
    }
    return np.column_stack([parts[name] for name in STEP_PARTS]).astype(np.float64)


def infer(times: list[Moments]) -> str | None:
    """The frequency of series of ascending, distinct times; None where they have none.

    Gaps are allowed: the most frequent distance is the step, and every other distance must be a multiple of it.
    """
    everything = np.concatenate(times).astype("datetime64[s]")
    distances = np.concatenate([np.diff(each.astype("datetime64[s]")).astype(np.int64) for each in times])
    if not len(distances):
        return None
    values, counts = np.unique(distances, return_counts=True)
    step = int(values[counts.argmax()])
    names = [_monthly(times, everything) if step >= SHORTEST_MONTH * 86400 else None, f"{step}s"]
    if step == 86400 and np.is_busday(everything.astype("datetime64[D]")).all():
        names.insert(0, "business_day")
    return next((name for name in names if name and all((places(name, each) >= 0).all() for each in times)), None)


def _monthly(times: list[Moments], everything: Moments) -> str:
    ends = bool((_days(everything) == _lengths(everything)).all())
    day = MONTH_END if ends else int(_days(everything).max())
    steps = np.concatenate([np.diff(each.astype("datetime64[M]")).astype(np.int64) for each in times])
    values, counts = np.unique(steps, return_counts=True)
    return f"{max(1, int(values[counts.argmax()]))}mo@{day}"


def _parts(name: str) -> tuple[int, int, int]:
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"{name[:80]!r} is no frequency, expected one such as 3600s, business_day or 1mo@1")
    return tuple(int(found[group] or 0) for group in ("seconds", "months", "day"))  # type: ignore[return-value]


def _days(times: Moments) -> NDArray[np.int64]:
    """Of the month, from 1."""
    return _counted(times.astype("datetime64[D]"), times.astype("datetime64[M]").astype("datetime64[D]")) + 1


def _lengths(times: Moments) -> NDArray[np.int64]:
    """Days of the month of each."""
    months = times.astype("datetime64[M]")
    return _counted((months + np.timedelta64(1, "M")).astype("datetime64[D]"), months.astype("datetime64[D]"))


def _counted(times: Moments, since: Moments) -> NDArray[np.int64]:
    return np.asarray(times - since).astype(np.int64)


def _same_clock(times: Moments) -> Any:
    clock = (times - times.astype("datetime64[D]")).astype(np.int64)
    return clock == clock[0]
