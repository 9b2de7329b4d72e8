"""Requests for forecasts: what they may hold, and what is said of the rest."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from modelmill.errors import SignatureMismatch
from modelmill.models.frequency import following, infer, places
from modelmill.models.manifest import Manifest
from modelmill.models.rejection import BundleRejected
from modelmill.models.signature import Feature, Forecast, Signature, timeseries_signature
from modelmill.models.signature_checks import check_signature
from modelmill.serving.decode_series import SeriesDecoder

WARMTH = Feature("warmth", "number", "numeric", 0)
SKY = Feature("sky", "category", "categorical", 0)
FORECAST = Forecast("day", "sales", "shop", "86400s", window=4, horizon=3)
SIGNATURE = timeseries_signature(FORECAST, [WARMTH, SKY])

Rows = list[dict[str, Any]]


def rows(count: int = 4, **changes: Any) -> Rows:
    """`changes` are of the row before the last."""
    start = datetime(2026, 2, 25)
    found: Rows = [
        {"day": (start + timedelta(days=n)).isoformat(), "sales": 10 + n, "warmth": n / 2, "sky": "grey"}
        for n in range(count)
    ]
    found[-2] |= changes
    return found


def decode(history: Any, signature: Signature = SIGNATURE) -> dict[str, np.ndarray]:
    return SeriesDecoder(signature)([{"history": rows()}, {"history": history}])


def test_rows_become_the_tensors_of_the_signature() -> None:
    tensors = decode([{"shop": "A", **row} for row in rows(6)])

    for tensor in SIGNATURE.inputs:
        assert list(tensors[tensor.name].shape) == [2, *tensor.shape[1:]]
    assert tensors["history"].tolist() == [[10, 11, 12, 13], [12, 13, 14, 15]]
    assert tensors["numeric"][1, :, 0].tolist() == [1, 1.5, 2, 2.5]
    assert tensors["categorical"][0, 0].tolist() == ["grey"]
    # 2026-03-01 is a Sunday
    assert tensors["steps"][0, 0, 1:].tolist() == [3, 1, 6, 0]
    assert tensors["steps"][0, :, 0].tolist() == [1772323200 + 86400 * n for n in range(3)]


def test_holes_are_filled_as_in_training() -> None:
    history = rows(8, sales=None, warmth=None)
    del history[5]

    tensors = decode(history)

    assert tensors["history"][1].tolist() == [14, 15, 16, 17]
    assert tensors["numeric"][1, :, 0].tolist() == [2, 2, 2, 3.5]
    assert tensors["categorical"][1, :, 0].tolist() == ["grey", "", "grey", "grey"]


def test_of_a_long_history_only_the_end_is_read() -> None:
    history: Rows = [{"nonsense": True}, *rows(40)]

    assert decode(history)["history"][1].tolist() == [46, 47, 48, 49]


def test_without_further_columns_time_and_value_are_enough() -> None:
    signature = timeseries_signature(Forecast("day", "sales", None, "86400s", window=4, horizon=3), [])
    history = [{"day": row["day"], "sales": row["sales"]} for row in rows()]

    tensors = SeriesDecoder(signature)([{"history": history}])

    assert sorted(tensors) == ["history", "steps"]


@pytest.mark.parametrize(
    ("history", "field", "message"),
    [
        ("none", ".history", None),
        ([], ".history", "has 0 points; this model needs the last 4"),
        (rows(3), ".history", "has 3 points; this model needs the last 4"),
        ([1, 2, 3, 4], ".history", "objects of columns"),
        (rows(6, sales="much"), ".history[4].sales", "must be a number or null, got a string"),
        (rows(6, sky=3), ".history[4].sky", "must be a string"),
        (rows(6, price=3), ".history[4].price", "is not a column"),
        (rows(6, day="soon"), ".history[4].day", "ISO 8601"),
        (rows(6, day=None), ".history[4].day", "must be a time, got null"),
        (rows(20, day=None), ".history[18].day", "must be a time, got null"),
        (rows(6, day="2026-03-01T05:00:00"), ".history", "2026-03-01T05:00:00Z is no step of this model, whose steps"),
        (rows(6)[::-1], ".history", "expected ascending times"),
        ([*rows(6), rows(6)[-1]], ".history", "expected ascending times"),
        ([*rows(6)[:5], {**rows()[0], "day": "2026-05-01"}], ".history", "more than 10 steps of one day later"),
        ([*rows(6), {**rows(7)[-1], "sales": None}], ".history", "has no sales in its last row"),
        ([{**row, "sales": None} for row in rows(6)], ".history", "has no sales in its last row"),
        ([*({**row, "sales": None} for row in rows(5)[:4]), *rows(6)[4:]], ".history", "has 2 points"),
        (rows(6, sales=1e200), ".history", "larger than 1e+100"),
        ([{**row, "shop": str(n)} for n, row in enumerate(rows())], ".history", "rows of several series ('0', '1'"),
    ],
)
def test_what_is_no_history_is_named(history: Any, field: str, message: str | None) -> None:
    with pytest.raises(SignatureMismatch) as caught:
        decode(history)
    error = caught.value.errors[0]
    assert error.field == ("instances[1]" if message is None else f"instances[1]{field}")
    assert (message or 'must be {"history"') in error.message


@pytest.mark.parametrize("instance", [None, 3, [1.0], {"history": rows(), "more": 1}, {"values": [1]}, b"png"])
def test_what_is_no_instance_is_named(instance: Any) -> None:
    with pytest.raises(SignatureMismatch, match="history"):
        SeriesDecoder(SIGNATURE)([instance])


@pytest.mark.parametrize("name", ["1s", "900s", "604800s", "business_day", "1mo@1", "1mo@31", "3mo@30", "12mo@31"])
def test_the_times_that_follow_have_the_frequency(name: str) -> None:
    first = {"business_day": "2024-02-29", "1mo@1": "2024-03-01", "3mo@30": "2023-11-30"}.get(name, "2024-02-29")
    start = np.datetime64(first, "s")

    times = np.concatenate([[start], following(name, start, 60)])

    assert places(name, times).tolist() == list(range(61))
    assert infer([times]) == name
    assert infer([np.delete(times, [7, 8, 30])]) == name


def manifest(signature: Signature, task: Any = "forecasting", labels: list[str] | None = None) -> Manifest:
    names = ("spec", "metrics", "parity", "split", "lineage", "libraries", "files")
    known: dict[str, Any] = {name: {} for name in names}
    return Manifest("timeseries", task, "lstm", "sales", signature=signature, labels=labels, created_at="", **known)


def test_the_signature_of_a_forecaster_follows_from_its_columns_and_steps() -> None:
    check_signature(manifest(SIGNATURE))
    check_signature(manifest(Signature.from_dict(SIGNATURE.to_dict())))


@pytest.mark.parametrize(
    "changed",
    [
        manifest(SIGNATURE, task="regression"),
        manifest(SIGNATURE, labels=["a", "b"]),
        manifest(SIGNATURE._replace(forecast=None)),
        manifest(SIGNATURE._replace(inputs=SIGNATURE.inputs[1:])),
        manifest(SIGNATURE._replace(features=[SKY])),
        *(
            manifest(timeseries_signature(FORECAST._replace(**{name: value}), [WARMTH, SKY]))
            for name, value in (
                ("frequency", "often"),
                ("frequency", 3),
                ("time", None),
                ("series", "sales"),
                ("series", 0),
                ("value", "warmth"),
                ("window", 0),
                ("window", True),
                ("horizon", 10**9),
            )
        ),
        manifest(timeseries_signature(FORECAST, [Feature("seen", "timestamp", "numeric", 0)])),
        manifest(timeseries_signature(FORECAST, [Feature("warmth", "number", "numeric", 1)])),
    ],
)
def test_a_forecaster_whose_signature_does_not_add_up_is_refused(changed: Manifest) -> None:
    with pytest.raises(BundleRejected) as caught:
        check_signature(changed)
    assert caught.value.code == "signature_invalid"
