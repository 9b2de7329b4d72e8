"""Windows of monthly series, each divided by the mean of its year before: what both scripts learn from."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.proofs.plain.files import UPLOADED, columns

MONTHS, WINDOW = 12, 24

Floats = NDArray[np.float64]


def windows() -> tuple[Floats, Floats, Floats, Floats]:
    """Inputs [N, WINDOW] and targets [N, MONTHS] of all series; each one's last window, and its mean."""
    rows = columns(UPLOADED)
    series: dict[str, list[float]] = {}
    for name, value in zip(rows["series"], rows["target"], strict=True):
        series.setdefault(name, []).append(float(value))
    inputs, targets, last = [], [], []
    for values in map(np.array, series.values()):
        for start in range(len(values) - WINDOW - MONTHS + 1):
            window = values[start : start + WINDOW + MONTHS]
            scale = window[WINDOW - MONTHS : WINDOW].mean()
            inputs.append(window[:WINDOW] / scale)
            targets.append(window[WINDOW:] / scale)
        last.append(values[-WINDOW:])
    scales = np.array([window[-MONTHS:].mean() for window in last])
    return np.array(inputs), np.array(targets), np.array(last) / scales[:, None], scales
