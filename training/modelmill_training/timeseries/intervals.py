"""Prediction intervals from the errors on the validation origins (split conformal prediction).

https://doi.org/10.1080/01621459.2017.1307116; each error counts in units of its window's scale.
"""

import numpy as np

from modelmill_training.data import Floats

# Fewer errors of a step are taken together with those of all steps.
ERRORS_NEEDED = 20


def half_widths(errors: Floats, level: float) -> Floats:
    """[horizon] from absolute errors [N, horizon], NaN where no value was given: half the interval of each step."""
    everything = errors[~np.isnan(errors)]
    of_steps = [column[~np.isnan(column)] for column in errors.T]
    return np.array([_quantile(step if len(step) >= ERRORS_NEEDED else everything, level) for step in of_steps])


def _quantile(errors: Floats, level: float) -> float:
    """The smallest error that at least ceil((n + 1) * level) of n do not exceed, at most the largest."""
    if not len(errors):
        return 0.0
    place = min(len(errors), int(np.ceil((len(errors) + 1) * level)))
    return float(np.sort(errors)[place - 1])
