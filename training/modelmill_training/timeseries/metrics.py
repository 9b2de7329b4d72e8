"""How good forecasts are; what is not defined is None."""

from typing import Any

import numpy as np

from modelmill_training.data import Floats
from modelmill_training.progress import finite


def evaluate(truth: Floats, predicted: Floats, naive_error: Floats) -> dict[str, Any]:
    """mae, rmse, mape, smape (both in percent) and mase over all known steps of `truth` [N, horizon].

    The measures are those of Hyndman and Koehler, "Another look at measures of forecast accuracy" (2006).
    """
    known = ~np.isnan(truth)
    if not known.any():
        return {}
    errors = np.abs(truth - predicted)
    return {
        "mae": finite(errors[known].mean()),
        "rmse": finite(np.sqrt((errors[known] ** 2).mean())),
        "mape": mape(truth[known], predicted[known]),
        "smape": smape(truth[known], predicted[known]),
        "mase": mase(errors, naive_error),
    }


def mape(truth: Floats, predicted: Floats) -> float | None:
    """100 * mean(|y - f| / |y|); None where a true value is 0."""
    return finite(100 * np.mean(np.abs((truth - predicted) / truth))) if (truth != 0).all() else None


def smape(truth: Floats, predicted: Floats) -> float | None:
    """200 * mean(|y - f| / (|y| + |f|)); None where both are 0."""
    sizes = np.abs(truth) + np.abs(predicted)
    return finite(200 * np.mean(np.abs(truth - predicted) / sizes)) if (sizes != 0).all() else None


def mase(errors: Floats, naive_error: Floats) -> float | None:
    """mean(|y - f| / q), q [N] the mean |y_t - y_(t - season)| of the series' training part; None where a q is 0."""
    if (naive_error == 0).any():
        return None
    scaled = errors / naive_error[:, None]
    return finite(np.nanmean(scaled))


def coverage(truth: Floats, lower: Floats, upper: Floats) -> float | None:
    """The share of known values within their interval, ends included."""
    known = ~np.isnan(truth)
    inside = (truth >= lower) & (truth <= upper)
    return finite(inside[known].mean()) if known.any() else None
