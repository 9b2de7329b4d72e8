"""Forecasting: what is learned beats the last season, and bundles give by hand what training said of them."""

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import onnxruntime
import pytest

from modelmill_training.timeseries.intervals import half_widths
from modelmill_training.timeseries.series import Panel, Series
from modelmill_training.timeseries.windows import Form, cut
from tests.kinds import shops
from tests.ml_tree import Data, Tree
from tests.training.conftest import Train

# What TensorFlow and its ONNX export warn of in their own code.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{name}Warning") for name in ("Deprecation", "Future", "User")]

QUICK: dict[str, dict[str, Any]] = {"seasonal_naive": {}, "gradient_boosting": {"max_iter": 60}, "lstm": {"epochs": 5}}
FEATURES = ["warmth", "sky"]
HORIZON, WINDOW = 24, 48
EPOCH = datetime(1970, 1, 1)


def by_hand(tree: Tree, ends: list[tuple[str, int]]) -> dict[str, np.ndarray]:
    """The forecasts after the given number of steps of a shop, by the files of the bundle alone."""
    session = onnxruntime.InferenceSession(tree.root / "model/model.onnx", providers=["CPUExecutionProvider"])
    feeds = [_feed(tree.data, *end) for end in ends]
    taken = [given.name for given in session.get_inputs()]
    names = [output.name for output in session.get_outputs()]
    found = session.run(names, {name: np.stack([feed[name] for feed in feeds]) for name in taken})
    return dict(zip(names, found, strict=True))


def _feed(data: Data, shop: str, end: int) -> dict[str, np.ndarray]:
    rows = [row for row, name in enumerate(data.values("shop")) if name == shop]
    past, ahead = rows[end - WINDOW : end], rows[end : end + HORIZON]
    times = [data.values("hour")[row] for row in ahead]
    steps = [[(at - EPOCH).total_seconds(), at.month, at.day, at.weekday(), at.hour] for at in times]
    return {
        "history": np.array([data.values("sales")[row] for row in past]),
        "numeric": np.array([[data.values("warmth")[row]] for row in past]),
        "categorical": np.array([[data.values("sky")[row]] for row in past], dtype=object),
        "steps": np.array(steps),
    }


def still(tree: Tree, value: float) -> np.ndarray:
    """The forecast of a window of one value."""
    session = onnxruntime.InferenceSession(tree.root / "model/model.onnx", providers=["CPUExecutionProvider"])
    feed = _feed(tree.data, "shop 0", 510) | {"history": np.full(WINDOW, value)}
    [values] = session.run(["values"], {given.name: feed[given.name][None] for given in session.get_inputs()})
    found: np.ndarray = values[0]
    return found


def truth(data: Data, shop: str, end: int) -> np.ndarray:
    own = [value for value, name in zip(data.values("sales"), data.values("shop"), strict=True) if name == shop]
    return np.array(own[end : end + HORIZON])


def report(tree: Tree) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tree.root / "model/report.json").read_bytes())
    return found


@pytest.mark.parametrize("algorithm", QUICK)
def test_it_forecasts_and_the_bundle_gives_the_same_by_hand(train: Train, algorithm: str) -> None:
    data = shops()

    tree = train(
        data, algorithm, hyperparameters=QUICK[algorithm], time="hour", series="shop", horizon=24, features=FEATURES
    )

    # then the test part's metrics are those of its rolling origins, forecast by hand
    assert tree.failure is None
    manifest = tree.manifest
    ends = [(shop, end) for shop in ("shop 0", "shop 1") for end in range(510, 577)]
    found, real = by_hand(tree, ends), np.stack([truth(data, *end) for end in ends])
    metrics = manifest.metrics["test"]
    assert metrics["mae"] == pytest.approx(np.abs(found["values"] - real).mean())
    assert metrics["smape"] == pytest.approx(200 * np.mean(np.abs(found["values"] - real) / (found["values"] + real)))
    inside = (found["lower"] <= real) & (real <= found["upper"])
    assert metrics["coverage"] == pytest.approx(inside.mean())
    assert inside.mean() == pytest.approx(0.9, abs=0.07)
    assert found["times"][0, 0] == (datetime(2026, 1, 22, 6) - EPOCH).total_seconds()
    assert manifest.parity["passed"]
    assert (manifest.kind, manifest.task, manifest.split["series"]) == ("timeseries", "forecasting", 2)
    forecast = manifest.signature.forecast
    assert forecast is not None
    assert (forecast.frequency, forecast.window, forecast.horizon) == ("3600s", WINDOW, HORIZON)
    # and a window that stands still goes on as it is
    assert still(tree, 7.25).tolist() == [7.25] * HORIZON
    assert still(tree, 0.0).tolist() == [0.0] * HORIZON
    # and what was learned is better than the last season
    if algorithm != "seasonal_naive":
        assert metrics["mase"] < 0.9 * metrics["seasonal_naive_mase"]
        assert report(tree)["warnings"] == []
    assert (tree.root / "model/forecast.svg").exists()


def test_seasonal_naive_repeats_the_last_season(train: Train) -> None:
    data = shops(300)

    tree = train(data, "seasonal_naive", time="hour", series="shop", horizon=30)

    session = onnxruntime.InferenceSession(tree.root / "model/model.onnx", providers=["CPUExecutionProvider"])
    history = np.array(data.values("sales")[:WINDOW])
    [values] = session.run(["values"], {"history": history[None], "steps": np.zeros((1, 30, 5))})
    assert values[0].tolist() == [*history[-24:], *history[-24:-18]]


def test_auto_ranks_all_on_the_validation_origins(train: Train) -> None:
    tree = train(shops(300), "auto", time="hour", series="shop", horizon=6)

    board = tree.manifest.leaderboard or []
    assert {line["algorithm"] for line in board} == {"seasonal_naive", "gradient_boosting", "lstm"}
    assert [line["score"] for line in board] == sorted(line["score"] for line in board)
    assert board[0]["algorithm"] == tree.manifest.algorithm
    assert board[-1]["algorithm"] == "seasonal_naive"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (lambda at, n: at + timedelta(days=n), "86400s"),
        (lambda at, n: at + timedelta(days=7 * (n // 5) + n % 5), "business_day"),
        (lambda at, n: datetime(2000 + n // 12, n % 12 + 1, 1), "1mo@1"),
        (lambda at, n: datetime(2000 + (n + 1) // 12, (n + 1) % 12 + 1, 1) - timedelta(days=1), "1mo@31"),
        (lambda at, n: datetime(2000 + n // 4, n % 4 * 3 + 1, 15), "3mo@15"),
        (lambda at, n: datetime(1800 + n, 12, 31), "12mo@31"),
    ],
)
def test_the_frequency_is_found_in_spite_of_gaps(train: Train, step: Any, expected: str) -> None:
    numbers = [number for number in range(130) if number not in (50, 51, 90)]
    times = [step(datetime(2024, 1, 1), number) for number in numbers]
    values = [float(10 + number % 4 + number / 50) for number in numbers]

    tree = train(single(times, values), "seasonal_naive", time="at", horizon=4)

    assert tree.failure is None
    assert report(tree)["frequency"] == expected
    assert tree.manifest.split["filled_steps"] == 3
    [warning] = [each for each in report(tree)["warnings"] if each["code"] == "filled_steps"]
    assert "3 of 130 steps" in warning["message"]


def single(times: list[datetime], values: list[float | None]) -> Data:
    return Data({"at": ("timestamp", times), "v": ("number", values)}, "v", "forecasting", "timeseries")


def days(count: int) -> list[datetime]:
    return [datetime(2026, 1, 1) + timedelta(days=number) for number in range(count)]


def ramp(count: int) -> list[float | None]:
    return [float(number % 7) for number in range(count)]


@pytest.mark.parametrize(
    ("data", "spec", "said"),
    [
        (single([*days(80), *days(3)], ramp(83)), {}, "2026-01-01T00:00:00 more than once"),
        (single([*days(40), datetime(2026, 2, 20, 5)], ramp(41)), {}, "2026-02-20T05:00:00 do not fit"),
        (single([*(datetime(2020 + n // 12, n % 12 + 1, 1) for n in range(50)), datetime(2024, 3, 5)], ramp(51)), {},
         "2024-03-05T00:00:00 is not"),
        (single(days(60), [*ramp(59), 1e200]), {}, "beyond 1e+100"),
        (single(days(60), ramp(60)), {"horizon": 20}, "need at least 74"),
        (single(days(200), [*ramp(80), *([None] * 12), *ramp(108)]), {}, "12 steps of one day from 2026-03-22"),
        (single(days(90), [1.0] * 80 + ramp(10)), {"horizon": 4}, "same value at every step"),
        (single(days(90), ramp(90)), {"hyperparameters": {"window": 5}}, "a window of at least 7"),
    ],
)  # fmt: skip
def test_what_cannot_be_forecast_is_told(train: Train, data: Data, spec: dict[str, Any], said: str) -> None:
    tree = train(data, "seasonal_naive", **({"time": "at"} | spec))

    assert tree.failure is not None
    assert said in tree.failure


def test_as_many_points_as_it_asks_for_are_enough(train: Train) -> None:
    tree = train(single(days(74), ramp(74)), "gradient_boosting", time="at", horizon=20)

    assert tree.failure is None


def test_a_series_that_is_too_short_is_left_out_and_named(train: Train) -> None:
    data = shops(200, 2).take(range(300))

    tree = train(data, "seasonal_naive", time="hour", series="shop", horizon=24)

    assert [entry["column"] for entry in tree.manifest.dropped] == ["shop 1"]
    assert "dropped_series" in [each["code"] for each in report(tree)["warnings"]]


def test_a_model_that_learns_nothing_is_reported(train: Train) -> None:
    values = np.random.default_rng(1).normal(0, 1, 400).cumsum() + 100

    tree = train(
        single(days(400), values.tolist()), "gradient_boosting", time="at", horizon=1, hyperparameters={"season": 1}
    )

    own, naive = (tree.manifest.metrics["test"][name] for name in ("mase", "seasonal_naive_mase"))
    warned = [each["code"] for each in report(tree)["warnings"]]
    assert ("no_better_than_seasonal_naive" in warned) == (own >= naive)
    assert own == pytest.approx(naive, rel=0.2)


def test_no_origin_stands_behind_a_value_that_was_filled_from_what_follows() -> None:
    times = np.array(days(200), dtype="datetime64[s]")
    known = np.random.default_rng(2).random(200) > 0.15
    none = np.zeros((200, 0))
    series = Series("", times, np.arange(200.0), known, none, none.astype(np.int64), np.arange(200))

    parts = cut(Panel("86400s", [series], [], []), Form(window=14, horizon=5, season=7), seed=1)

    for windows in parts.items().values():
        assert known[windows.origin - 1].all()
        assert (windows.history[:, -1] + 1 == windows.target[:, 0]).all()
        assert np.isnan(windows.truth[~known[windows.origin[:, None] + np.arange(5)]]).all()
    ends = [(int(part.origin.min()), int(part.origin.max()) + 5) for part in parts.items().values()]
    assert ends[0][1] <= ends[1][0] < ends[1][1] <= ends[2][0] < ends[2][1] <= 200


def test_intervals_hold_the_share_of_errors_that_is_asked_for() -> None:
    errors = np.abs(np.random.default_rng(0).normal(0, [1.0, 3.0], (999, 2)))

    found = half_widths(errors, 0.8)

    assert found == pytest.approx([1.28, 3 * 1.28], rel=0.1)
    assert (errors <= found).mean(axis=0) == pytest.approx([0.8, 0.8], abs=0.01)
