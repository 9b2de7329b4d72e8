"""The numbers of a report on a forecaster."""

from typing import Any

import numpy as np

from modelmill_training.data import Floats, Integers
from modelmill_training.report import curves
from modelmill_training.report.warnings import Finding, warning
from modelmill_training.timeseries.metrics import FALLBACK_SCORE, SCORE, by_step
from modelmill_training.timeseries.prepare import Prepared
from modelmill_training.timeseries.windows import Windows

MAX_DRAWN = 4
MAX_PAST = 200
MAX_POINTS = 2_000
FEW_ORIGINS = 10
# An interval may hold so much less of the held-out values than it should.
MISSED = 0.1


def build(
    prepared: Prepared,
    algorithm: str,
    metrics: dict[str, dict[str, Any]],
    curve: list[dict[str, Any]],
    test: dict[str, Floats],
    naive: Floats,
    level: float,
) -> dict[str, Any]:
    """The report, JSON-ready; `test` has values, lower and upper [N, horizon] of the held-out origins."""
    windows, form = prepared.parts.test, prepared.form
    truth = windows.truth
    return {
        "task": "forecasting",
        "algorithm": algorithm,
        "labels": None,
        "rows": {part: len(each.origin) for part, each in prepared.parts.items().items()},
        "frequency": prepared.panel.frequency,
        "season": form.season,
        "window": form.window,
        "horizon": form.horizon,
        "level": level,
        "series": len(prepared.panel.series),
        "filled_steps": prepared.panel.filled,
        "metrics": metrics,
        "warnings": _warnings(prepared, algorithm, metrics, level),
        "learning_curve": curve,
        "forecasts": [_forecast(prepared, int(place), test) for place in _drawn(windows)],
        "error_by_step": {algorithm: by_step(truth, test["values"]), "seasonal_naive": by_step(truth, naive)},
        "residuals": _residuals(truth, test["values"]),
    }


def _warnings(prepared: Prepared, algorithm: str, metrics: dict[str, dict[str, Any]], level: float) -> list[Finding]:
    panel, test = prepared.panel, metrics["test"]
    found = []
    name = SCORE if test.get(SCORE) is not None else FALLBACK_SCORE
    own, naive = test.get(name), test.get(f"seasonal_naive_{name}")
    if algorithm != "seasonal_naive" and own is not None and naive is not None and own >= naive:
        text = f"{name} is {own:.3f} on held-out origins, that of the seasonal naive forecast {naive:.3f}"
        found.append(warning("no_better_than_seasonal_naive", f"{text}: use that one, or add rows"))
    if panel.filled:
        steps = sum(len(each.values) for each in panel.series)
        text = f"{panel.filled} of {steps} steps have no value and were filled along a line between their neighbours"
        found.append(warning("filled_steps", text))
    if panel.dropped:
        shown = "; ".join(f"{each['column']}: {each['reason']}" for each in panel.dropped[:MAX_DRAWN])
        found.append(warning("dropped_series", f"{len(panel.dropped)} series are not used ({shown})"))
    if len(prepared.parts.test.origin) < FEW_ORIGINS:
        count = len(prepared.parts.test.origin)
        found.append(warning("few_rows", f"only {count} origins are held out: the metrics are rough; add rows"))
    covered = test.get("coverage")
    if covered is not None and covered < level - MISSED:
        text = f"{covered:.0%} of the held-out values lie between lower and upper, {level:.0%} should"
        found.append(warning("narrow_intervals", f"{text}: the series changes; train anew more often"))
    return found


def _drawn(windows: Windows) -> Integers:
    """The last origin of each of the first series."""
    last = np.flatnonzero(np.diff(np.append(windows.series, -1)) != 0)
    return last[:MAX_DRAWN]


def _forecast(prepared: Prepared, place: int, test: dict[str, Floats]) -> dict[str, Any]:
    windows, form = prepared.parts.test, prepared.form
    series, origin = prepared.panel.series[windows.series[place]], int(windows.origin[place])
    start = origin - min(form.window, MAX_PAST)
    return {
        "series": series.name,
        "past_times": [f"{moment}Z" for moment in series.times[start:origin]],
        "past": series.values[start:origin].tolist(),
        "times": [f"{moment}Z" for moment in series.times[origin : origin + form.horizon]],
        "truth": [None if np.isnan(value) else float(value) for value in windows.truth[place]],
        **{name: array[place].tolist() for name, array in test.items()},
    }


def _residuals(truth: Floats, predicted: Floats) -> dict[str, list[float]]:
    known = np.flatnonzero(~np.isnan(truth))
    chosen = known[np.linspace(0, len(known) - 1, min(len(known), MAX_POINTS)).astype(np.int64)]
    return curves.residuals(truth.ravel()[chosen], predicted.ravel()[chosen])
