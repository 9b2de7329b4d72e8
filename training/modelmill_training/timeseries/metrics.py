"""How good forecasts are; what is not defined is None.

The measures are those of Hyndman and Koehler, "Another look at measures of forecast accuracy" (2006).
"""

from typing import Any

import numpy as np

from modelmill_training.data import Floats
from modelmill_training.progress import finite

# What `auto` and people compare first; the second one where the first is not defined.
SCORE, FALLBACK_SCORE = "mase", "mae"


def evaluate(truth: Floats, predicted: Floats, naive_error: Floats) -> dict[str, Any]:
    """mae, rmse, mape, smape (both in percent) and mase over all known steps of `truth` [N, horizon].

    naive_error [N]: the mean |y_t - y_(t - season)| of the training part of each origin's series.
    """
    known = ~np.isnan(truth)
    if not known.any():
        return {}
    errors = np.abs(truth - predicted)
    return {
        "mae": finite(errors[known].mean()),
        "rmse": finite(np.sqrt((errors[known] ** 2).mean())),
        "mape": _mape(truth[known], predicted[known]),
        "smape": _smape(truth[known], predicted[known]),
        "mase": _mase(errors, naive_error),
    }


def coverage(truth: Floats, lower: Floats, upper: Floats) -> float | None:
    """The share of known values within their interval, ends included."""
    known = ~np.isnan(truth)
    inside = (truth >= lower) & (truth <= upper)
    return finite(inside[known].mean()) if known.any() else None


def by_step(truth: Floats, predicted: Floats) -> list[float | None]:
    """The mae of each step ahead."""
    errors = np.abs(truth - predicted)
    return [finite(np.mean(step[~np.isnan(step)])) if (~np.isnan(step)).any() else None for step in errors.T]


def _mape(truth: Floats, predicted: Floats) -> float | None:
    """100 * mean(|y - f| / |y|); None where a true value is 0."""
    return finite(100 * np.mean(np.abs((truth - predicted) / truth))) if (truth != 0).all() else None


def _smape(truth: Floats, predicted: Floats) -> float | None:
    """200 * mean(|y - f| / (|y| + |f|)), where 0 / 0 is no error."""
    sizes = np.abs(truth) + np.abs(predicted)
    return finite(200 * np.mean(np.abs(truth - predicted) / np.where(sizes > 0, sizes, 1.0)))


def _mase(errors: Floats, naive_error: Floats) -> float | None:
    """mean(|y - f| / q); None where a q is 0."""
    if (naive_error == 0).any():
        return None
    return finite(np.nanmean(errors / naive_error[:, None]))
