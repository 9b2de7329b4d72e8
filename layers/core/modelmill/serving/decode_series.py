"""Decode: the recent history of series, and what is known of the steps ahead, to the tensors of a forecast."""

import sys
from datetime import UTC, datetime
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from modelmill.errors import FieldError, SignatureMismatch
from modelmill.models.frequency import following, future_parts, places, spoken
from modelmill.models.signature import Forecast, Signature
from modelmill.serving.tensors import Tensors

_LARGEST = sys.float_info.max
_SHAPE = 'an object such as {"history": {"time": "2026-11-23", "values": [1.5, 2.5]}}'


class SeriesDecoder:
    """Instances to `history` float64 [N, window] and `future` float64 [N, horizon, parts]."""

    def __init__(self, signature: Signature) -> None:
        assert signature.forecast is not None, "a signature of a time series says what a forecast is made from"
        self._forecast = signature.forecast

    def __call__(self, instances: list[Any]) -> Tensors:
        """The tensors of objects with `history`, and with `future` where the model takes known columns.

        `history` is a list of {"time", "value"}, oldest first, or {"time": the last one, "values": [...]}.

        Raises:
            SignatureMismatch: names what does not fit in the first such instance.
        """
        read = [_read(f"instances[{place}]", instance, self._forecast) for place, instance in enumerate(instances)]
        return {"history": np.stack([values for values, _ in read]), "future": np.stack([ahead for _, ahead in read])}


def _read(place: str, instance: Any, forecast: Forecast) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if type(instance) is not dict or "history" not in instance:
        _refuse(place, f"expected {_SHAPE}")
    unknown = [name for name in instance if name not in ("history", "future")]
    if unknown:
        _refuse(f"{place}.{unknown[0][:80]}", "is unknown; expected history and future")
    values, last = _history(f"{place}.history", instance["history"], forecast)
    parts = future_parts(following(forecast.frequency, last, forecast.horizon))
    return values, np.column_stack([parts, *_future(f"{place}.future", instance.get("future"), forecast)])


def _history(place: str, history: Any, forecast: Forecast) -> tuple[NDArray[np.float64], np.datetime64]:
    if type(history) is dict and set(history) == {"time", "values"}:
        times, values = [_moment(f"{place}.time", history["time"])], history["values"]
        count = len(_numbers(f"{place}.values", values))
    elif type(history) is list and all(type(each) is dict and set(each) == {"time", "value"} for each in history):
        values = [each["value"] for each in history]
        count = len(_numbers(place, values))
        times = [_moment(f"{place}[{number}].time", each["time"]) for number, each in enumerate(history)]
    else:
        _refuse(place, 'expected [{"time", "value"}, ...], or {"time": the last time, "values": [...]}')
    if count < forecast.window:
        _refuse(place, f"has {count} values; this model needs the last {forecast.window}, oldest first")
    moments = np.array(times, dtype="datetime64[s]")
    _check_times(place, moments, forecast.frequency)
    return np.array(values[-forecast.window :], dtype=np.float64), moments[-1]


def _check_times(place: str, times: NDArray[np.datetime64], frequency: str) -> None:
    found = places(frequency, times)
    if found[0] < 0:
        _refuse(place, f"{times[0]} is no time of this model, whose steps are one {spoken(frequency)} apart")
    wrong = np.flatnonzero(np.diff(found) != 1)
    if len(wrong):
        number = int(wrong[0])
        pair = f"{times[number]} is followed by {times[number + 1]}"
        _refuse(place, f"{pair}; expected ascending times, one {spoken(frequency)} apart, without gaps")


def _future(place: str, future: Any, forecast: Forecast) -> list[NDArray[np.float64]]:
    given = {} if future is None else future
    if type(given) is not dict or set(given) != set(forecast.future):
        wanted = ", ".join(forecast.future[:20]) or "nothing, since the model takes no known columns"
        _refuse(place, f"expected an object of the {forecast.horizon} values ahead of: {wanted}")
    columns = []
    for name in forecast.future:
        numbers = _numbers(f"{place}.{name[:80]}", given[name])
        if len(numbers) != forecast.horizon:
            _refuse(f"{place}.{name[:80]}", f"has {len(numbers)} values, expected {forecast.horizon}, one per step")
        columns.append(np.array(numbers, dtype=np.float64))
    return columns


def _numbers(place: str, values: Any) -> list[float]:
    if type(values) is not list:
        _refuse(place, "expected a list of numbers")
    for number, value in enumerate(values):
        if type(value) not in (int, float, bool) or not abs(value) <= _LARGEST:
            _refuse(f"{place}[{number}]", "expected a number; fill missing values first")
    return values


def _moment(place: str, text: Any) -> np.datetime64:
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
    except (OverflowError, TypeError, ValueError):
        _refuse(place, "expected an ISO 8601 timestamp such as '2026-11-23T01:00:00Z'")
    return np.datetime64(moment.replace(tzinfo=None), "s")


def _refuse(field: str, message: str) -> NoReturn:
    raise SignatureMismatch(f"{field} {message}", errors=(FieldError(field, message),))
