"""Decode: the recent history of series to the tensors of a forecast."""

from dataclasses import replace
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from modelmill.errors import FieldError, SignatureMismatch
from modelmill.models.frequency import following, places, spoken, step_parts
from modelmill.models.history import LARGEST, LONGEST_GAP, carried, gap_of, interpolated
from modelmill.models.signature import CALENDAR_PARTS, Feature, Signature, Tensor
from modelmill.serving.bundle import BundleBroken
from modelmill.serving.decode_columns import TabularDecoder
from modelmill.serving.mismatch import json_name
from modelmill.serving.tensors import Tensors

KEY = "history"
_VALUE = len(CALENDAR_PARTS)


class _History(NamedTuple):
    """Steps without holes: values [window], numeric [window, k], categorical [window, c], and the last time."""

    values: NDArray[np.float64]
    numeric: NDArray[np.float64]
    categorical: NDArray[np.object_]
    last: np.datetime64


class SeriesDecoder:
    """Instances to `history` [N, window], `numeric` and `categorical` [N, window, columns], `steps` [N, horizon, 5]."""

    def __init__(self, signature: Signature) -> None:
        """Raises:
        BundleBroken: the signature does not say what a forecast is made from.
        """
        if signature.forecast is None:
            raise BundleBroken("the signature does not say what a forecast is made from")
        self._forecast = signature.forecast
        self._tensors = [tensor.name for tensor in signature.inputs]
        self._rows = TabularDecoder(_rows_signature(signature))

    def __call__(self, instances: list[Any]) -> Tensors:
        """The tensors of objects `{"history": [{column: value}, ...]}`, oldest row first.

        Raises:
            SignatureMismatch: names what does not fit in the first such instance.
        """
        read = [self._read(f"instances[{number}]", instance) for number, instance in enumerate(instances)]
        forecast = self._forecast
        arrays: Tensors = {
            "history": np.stack([each.values for each in read]),
            "numeric": np.stack([each.numeric for each in read]),
            "categorical": np.stack([each.categorical for each in read]),
            "steps": np.stack(
                [step_parts(following(forecast.frequency, each.last, forecast.horizon)) for each in read]
            ),
        }
        return {name: arrays[name] for name in self._tensors}

    def _read(self, place: str, instance: Any) -> _History:
        if type(instance) is not dict or set(instance) != {KEY} or type(instance[KEY]) is not list:
            got = f"an object with {', '.join(map(str, instance))[:80]}" if type(instance) is dict else None
            _refuse(place, f'must be {{"{KEY}": [rows, oldest first]}}, got {got or json_name(instance)}')
        place, rows, needed = f"{place}.{KEY}", instance[KEY], self._forecast.window
        if not rows:
            _refuse(place, _too_few(0, needed))
        first = max(0, len(rows) - needed - LONGEST_GAP)
        tensors = self._decode(place, self._of_one_series(place, rows)[first:], first)
        return self._steps(place, tensors, first)

    def _of_one_series(self, place: str, rows: list[Any]) -> list[Any]:
        """The rows without the name of the series, which says nothing to the model."""
        series = self._forecast.series
        if series is None:
            return rows
        names = {str(row[series]): None for row in rows if type(row) is dict and series in row}
        if len(names) > 1:
            shown = ", ".join(repr(name[:40]) for name in list(names)[:3])
            _refuse(place, f"holds rows of several series ({shown}); give one instance for each")
        return [{name: row[name] for name in row if name != series} if type(row) is dict else row for row in rows]

    def _decode(self, place: str, rows: list[Any], first: int) -> Tensors:
        if any(type(row) is not dict for row in rows):
            _refuse(place, "must hold objects of columns, one a row")
        try:
            return self._rows(rows)
        except SignatureMismatch as error:
            raise _moved(error, place, first) from error

    def _steps(self, place: str, tensors: Tensors, first: int) -> _History:
        """The last `window` steps, holes filled."""
        numeric, window = tensors["numeric"], self._forecast.window
        times = self._times(place, numeric[:, 0], first)
        step = self._places(place, times)
        full = np.full((int(step[-1]) + 1, numeric.shape[1] - _VALUE), np.nan)
        full[step] = numeric[:, _VALUE:]
        words = np.full((len(full), tensors["categorical"].shape[1] if "categorical" in tensors else 0), "", object)
        if words.shape[1]:
            words[step] = tensors["categorical"]
        values = self._values(place, full[:, 0], times)
        return _History(values, carried(full[:, 1:])[-window:], words[-window:], times[-1])

    def _values(self, place: str, values: NDArray[np.float64], times: NDArray[np.datetime64]) -> NDArray[np.float64]:
        name, window, known = self._forecast.value, self._forecast.window, np.flatnonzero(~np.isnan(values))
        if not len(known) or known[-1] != len(values) - 1:
            _refuse(place, f"has no {name} in its last row; leave out what is not known yet")
        if len(values) - known[0] < window:
            _refuse(place, _too_few(len(values) - int(known[0]), window))
        if np.abs(values[known]).max() > LARGEST:
            _refuse(place, f"has a {name} that is larger than {LARGEST:g}")
        length, start = gap_of(values[known[0] :])
        if length > LONGEST_GAP:
            since = following(self._forecast.frequency, times[0], int(known[0]) + start)[-1]
            _refuse(place, f"has no {name} for {length} steps from {since}Z on; at most {LONGEST_GAP} are filled")
        return interpolated(values)[-window:]

    def _times(self, place: str, days: NDArray[np.float64], first: int) -> NDArray[np.datetime64]:
        missing = np.flatnonzero(np.isnan(days))
        if len(missing):
            _refuse(f"{place}[{first + int(missing[0])}].{self._forecast.time}", "must be a time, got null")
        return np.round(days * 86_400).astype(np.int64).astype("datetime64[s]")

    def _places(self, place: str, times: NDArray[np.datetime64]) -> NDArray[np.int64]:
        frequency = self._forecast.frequency
        wrong = np.flatnonzero(np.diff(times) <= np.timedelta64(0, "s"))
        if len(wrong):
            pair = f"{times[wrong[0]]}Z is followed by {times[wrong[0] + 1]}Z"
            _refuse(place, f"{pair}; expected ascending times, oldest first, each once")
        found = places(frequency, times)
        odd = np.flatnonzero(found < 0)
        if len(odd):
            apart = f"one {spoken(frequency)} apart from {times[0]}Z on"
            _refuse(place, f"{times[odd[0]]}Z is no step of this model, whose steps are {apart}")
        holes = np.flatnonzero(np.diff(found) > LONGEST_GAP + 1)
        if len(holes):
            pair = f"{times[holes[0]]}Z is followed by {times[holes[0] + 1]}Z"
            _refuse(
                place, f"{pair}, more than {LONGEST_GAP} steps of one {spoken(frequency)} later; give those between"
            )
        return found


def _rows_signature(signature: Signature) -> Signature:
    """Of a row of history as a row of a table: its time, its value, and the features."""
    assert signature.forecast is not None  # noqa: S101 - the caller has looked
    time = Feature(signature.forecast.time, "timestamp", "numeric", 0)
    value = Feature(signature.forecast.value, "number", "numeric", _VALUE)
    moved = [
        replace(feature, index=feature.index + _VALUE + 1) if feature.input == "numeric" else feature
        for feature in signature.features
    ]
    features = [time, value, *moved]
    widths = {name: sum(each.width for each in features if each.input == name) for name in ("numeric", "categorical")}
    inputs = [
        Tensor("numeric", "FP64", [-1, widths["numeric"]]),
        Tensor("categorical", "BYTES", [-1, widths["categorical"]]),
    ]
    return Signature("tabular", [tensor for tensor in inputs if tensor.shape[1]], [], features)


def _moved(error: SignatureMismatch, place: str, first: int) -> SignatureMismatch:
    """The same of a row of the history instead of an instance."""

    def moved(field: str) -> str:
        number, _, rest = field.removeprefix("instances[").partition("]")
        return f"{place}[{first + int(number)}]{rest}"

    errors = tuple(FieldError(moved(each.field), each.message) for each in error.errors)
    return SignatureMismatch("; ".join(f"{each.field} {each.message}" for each in errors[:3]), errors=errors)


def _too_few(points: int, needed: int) -> str:
    return f"has {points} points; this model needs the last {needed} of the series"


def _refuse(field: str, message: str) -> NoReturn:
    raise SignatureMismatch(f"{field} {message}", errors=(FieldError(field, message),))
