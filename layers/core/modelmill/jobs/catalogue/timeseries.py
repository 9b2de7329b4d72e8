"""What can be trained on time series."""

from typing import Any

from modelmill.jobs.catalogue.entry import AUTO, Algorithm

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
        "minimum": 4,
        "maximum": 5000,
        "default": None,
        "description": "Steps of history that a forecast is made from; null takes two seasons, and 16 at least.",
    },
    "level": {
        "type": "number",
        "minimum": 0.5,
        "maximum": 0.99,
        "default": 0.9,
        "description": "Share of values that should lie between lower and upper.",
    },
}

_TRANSFORM: dict[str, Any] = {
    "type": ["string", "null"],
    "enum": ["none", "log", None],
    "default": None,
    "description": "Learn from logarithms, where seasons grow with the level; null decides by the training part.",
}


def _entry(name: str, title: str, summary: str, hyperparameters: dict[str, dict[str, Any]]) -> Algorithm:
    return Algorithm(name, title, summary, ("timeseries",), ("forecasting",), hyperparameters)


ENTRIES = (
    _entry(
        AUTO,
        "Automatic choice",
        "Fits the other algorithms and takes the one with the lowest error on the validation origins.",
        {
            "time_budget_s": {
                "type": "integer",
                "minimum": 1,
                "maximum": 3600,
                "default": 600,
                "description": "Seconds after which no further algorithm is begun; the first is always fitted.",
            },
            **_COMMON,
        },
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
        "Trees on lags, rolling means, the calendar and known columns correct the last season and its drift.",
        {
            **_COMMON,
            "transform": _TRANSFORM,
            "max_iter": {
                "type": "integer",
                "minimum": 1,
                "maximum": 2000,
                "default": 200,
                "description": "Boosting rounds.",
            },
            "learning_rate": {
                "type": "number",
                "minimum": 1e-4,
                "maximum": 1.0,
                "default": 0.05,
                "description": "Share of each tree's correction that is kept.",
            },
            "max_leaf_nodes": {
                "type": "integer",
                "minimum": 2,
                "maximum": 256,
                "default": 15,
                "description": "Leaves of a tree at most.",
            },
            "min_samples_leaf": {
                "type": "integer",
                "minimum": 1,
                "maximum": 1_000_000,
                "default": 20,
                "description": "Forecast steps in a leaf at least.",
            },
            "l2": {
                "type": "number",
                "minimum": 0,
                "maximum": 1e6,
                "default": 1.0,
                "description": "L2 penalty on the leaves' values.",
            },
        },
    ),
)
