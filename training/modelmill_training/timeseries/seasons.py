"""How many steps a season has."""

import re

import numpy as np

from modelmill_training.data import Floats
from modelmill_training.timeseries.series import Panel

# The seasons that people and nature make, in seconds.
CYCLES = (3600, 86_400, 7 * 86_400, 365.25 * 86_400)
LARGEST = 400
SEASONS_NEEDED = 4
WEAKEST = 0.2


def find_season(panel: Panel) -> int:
    """The candidate with the strongest autocorrelation in the longest series, 1 where none is strong.

    The trend is taken out first: see "Forecasting: Principles and Practice" (Hyndman, Athanasopoulos), section 2.8.
    """
    values = max((each.values for each in panel.series), key=len)
    found = [(autocorrelation(values, season), season) for season in candidates(panel.frequency, len(values))]
    strength, season = max(found, default=(0.0, 1))
    return season if strength >= WEAKEST else 1


def candidates(frequency: str, steps: int) -> list[int]:
    """Seasons that a series of so many steps shows often enough."""
    months = re.match(r"(\d+)mo@", frequency)
    if frequency == "business_day":
        known = [5.0]
    elif months:
        known = [12 / int(months[1])]
    else:
        known = [cycle / int(frequency[:-1]) for cycle in CYCLES]
    rounded = [round(season) for season in known]
    return [season for season in rounded if 1 < season <= min(LARGEST, steps // SEASONS_NEEDED)]


def autocorrelation(values: Floats, lag: int) -> float:
    """Of the values without their moving average over `lag` steps; 0 where nothing is left."""
    ones = np.ones(lag) / lag
    rest = values[lag // 2 :][: len(values) - lag + 1] - np.convolve(values, ones, mode="valid")
    rest = rest - rest.mean()
    total = float(rest @ rest)
    return float(rest[lag:] @ rest[:-lag]) / total if total > 0 and len(rest) > lag else 0.0
