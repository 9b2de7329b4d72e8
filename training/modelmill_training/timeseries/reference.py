"""Instances as clients send them, for the manifest: serving must forecast from them what training does."""

from typing import Any

import numpy as np

from modelmill.models.signature import Feature
from modelmill_training.data import Integers
from modelmill_training.split import sample
from modelmill_training.timeseries.prepare import Prepared
from modelmill_training.timeseries.windows import Windows

# Origins, and rows of history of all of them, at most.
MAX_ORIGINS = 20
MAX_ROWS = 5_000


def reference(prepared: Prepared, seed: int) -> tuple[list[dict[str, Any]], Windows]:
    """Instances, and the windows that serving makes of them."""
    train = prepared.parts.train
    limit = max(1, min(MAX_ORIGINS, MAX_ROWS // prepared.form.window))
    windows = train.take(sample(np.arange(len(train.origin)), limit, seed))
    return [_instance(prepared, windows, place) for place in range(len(windows.origin))], windows


def _instance(prepared: Prepared, windows: Windows, place: int) -> dict[str, Any]:
    """The history of one origin as rows of the dataset, holes filled."""
    forecast, panel = prepared.signature.forecast, prepared.panel
    if forecast is None:
        raise ValueError("the signature says nothing of a forecast")
    series, end = panel.series[windows.series[place]], int(windows.origin[place])
    columns: dict[str, list[Any]] = {
        forecast.time: [f"{moment}Z" for moment in series.times[end - forecast.window : end]],
        forecast.value: windows.history[place].tolist(),
    }
    for feature in panel.features:
        if feature.input == "categorical":
            columns[feature.name] = _words(windows.codes[place, :, feature.index], panel.names[feature.index])
        else:
            columns[feature.name] = _numbers(windows.numeric[place, :, feature.index].tolist(), feature)
    return {"history": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def _words(codes: Integers, names: list[str]) -> list[str | None]:
    return [names[code] or None for code in codes]


def _numbers(values: list[float], feature: Feature) -> list[float | bool | None]:
    convert = bool if feature.type == "boolean" else float
    return [None if np.isnan(value) else convert(value) for value in values]
