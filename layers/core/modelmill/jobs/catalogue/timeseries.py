"""What can be trained on time series."""

from typing import Any

from modelmill.jobs.catalogue.entry import AUTO, TIME_BUDGET, Algorithm
from modelmill.jobs.catalogue.networks import regularisation, training

MIN_WINDOW = 4
MIN_TRAIN_ORIGINS = 8


def points_needed(horizon: int, window: int = MIN_WINDOW) -> int:
    """The points of the shortest series to train on: a window, origins to learn from, two parts that are held out."""
    return window + MIN_TRAIN_ORIGINS - 1 + 3 * horizon


_COMMON: dict[str, dict[str, Any]] = {
    "season": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 1000,
        "default": None,
        "description": "Steps of a season, 1 for none; null takes what frequency and autocorrelation say.",
    },
    "window": {
        "type": ["integer", "null"],
        "minimum": MIN_WINDOW,
        "maximum": 2000,
        "default": None,
        "description": "Steps of history that a forecast is made from, at least a season; null takes two seasons and "
        "at least 16, or less where series are short.",
    },
    "level": {
        "type": "number",
        "minimum": 0.5,
        "maximum": 0.99,
        "default": 0.9,
        "description": "Share of values that should lie between lower and upper.",
    },
}

_NETWORK = {name: schema for name, schema in training(epochs=30, patience=4).items() if name != "class_weight"}


def _entry(
    name: str, title: str, summary: str, hyperparameters: dict[str, dict[str, Any]], *, quantizable: bool = False
) -> Algorithm:
    return Algorithm(name, title, summary, ("timeseries",), ("forecasting",), hyperparameters, quantizable)


ENTRIES = (
    _entry(
        AUTO,
        "Automatic choice",
        "Trains the others while the time budget allows and keeps the best on the validation origins.",
        {"time_budget_s": TIME_BUDGET, **_COMMON},
        quantizable=True,
    ),
    _entry(
        "seasonal_naive",
        "Seasonal naive",
        "Repeats the last season. What every other algorithm has to beat.",
        _COMMON,
    ),
    _entry(
        "gradient_boosting",
        "Gradient boosting",
        "A linear forecast from the window, corrected by trees on lags, means, the calendar and further columns.",
        {
            **_COMMON,
            "max_iter": {
                "type": "integer",
                "minimum": 1,
                "maximum": 2000,
                "default": 200,
                "description": "Trees at most; so many are kept as the validation origins ask for.",
            },
            "learning_rate": {
                "type": "number",
                "minimum": 1e-4,
                "maximum": 1.0,
                "default": 0.05,
                "description": "Share of each tree's correction that is kept.",
                "search": {"low": 0.01, "high": 0.3, "log": True},
            },
            "max_leaf_nodes": {
                "type": "integer",
                "minimum": 2,
                "maximum": 256,
                "default": 15,
                "description": "Leaves of a tree at most.",
                "search": {"low": 4, "high": 64, "log": True},
            },
            "min_samples_leaf": {
                "type": "integer",
                "minimum": 1,
                "maximum": 1_000_000,
                "default": 20,
                "description": "Forecast steps in a leaf at least.",
                "search": {"low": 5, "high": 200, "log": True},
            },
            "l2": {
                "type": "number",
                "minimum": 0,
                "maximum": 1e6,
                "default": 1.0,
                "description": "L2 penalty on the leaves' values.",
                "search": {"low": 1e-3, "high": 100.0, "log": True},
            },
        },
    ),
    _entry(
        "lstm",
        "Recurrent network",
        "A linear forecast from the window, corrected by LSTM layers over its last steps, trained with Keras.",
        {
            **_COMMON,
            "steps": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 1000,
                "default": None,
                "description": "Last steps of the window that the LSTM reads; null takes all, at most 96.",
            },
            "units": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 512},
                "minItems": 1,
                "maxItems": 4,
                "default": [32],
                "description": "Units of each LSTM layer.",
                "search": {"choices": [[16], [32], [64], [128], [64, 32]]},
            },
            **_NETWORK,
            **regularisation(dropout=0.1),
        },
        quantizable=True,
    ),
)
