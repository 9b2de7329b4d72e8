"""Hyper-parameters that every network trained with Keras has."""

from typing import Any

from modelmill.jobs.catalogue.entry import CLASS_WEIGHT


def training(
    *, epochs: int, patience: int, schedule: str = "constant", learning_rate: float | None = None
) -> dict[str, dict[str, Any]]:
    """How a network is trained, with these defaults."""
    return {
        "optimizer": {
            "type": "string",
            "enum": ["adam", "adamw", "sgd", "rmsprop"],
            "default": "adam",
            "description": "Keras optimizer.",
            "search": {"choices": ["adam", "adamw", "sgd", "rmsprop"]},
        },
        "learning_rate": {
            "type": ["number", "null"],
            "minimum": 1e-6,
            "maximum": 10,
            "default": learning_rate,
            "description": "Null takes 0.01 for sgd and 0.001 for the others.",
            "search": {"low": 1e-4, "high": 0.1, "log": True},
        },
        "schedule": {
            "type": "string",
            "enum": ["constant", "cosine", "exponential", "warmup_cosine"],
            "default": schedule,
            "description": "How the learning rate moves over all epochs: not at all, along a cosine to zero, by equal "
            "factors to a hundredth, or up over the first tenth and then along a cosine.",
            "search": {"choices": ["constant", "cosine", "exponential", "warmup_cosine"]},
        },
        "batch_size": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 65_536,
            "default": None,
            "description": "Rows per step; null takes 32, more for more than 10,000 rows.",
            "search": {"choices": [16, 32, 64, 128, 256]},
        },
        "epochs": {
            "type": "integer",
            "minimum": 1,
            "maximum": 10_000,
            "default": epochs,
            "description": "Passes over the training rows at most.",
        },
        "patience": {
            "type": "integer",
            "minimum": 0,
            "maximum": 10_000,
            "default": patience,
            "description": "Epochs without a better validation loss before training stops and the best weights "
            "are restored; 0 trains all epochs and keeps the last weights.",
        },
        "class_weight": CLASS_WEIGHT,
    }


def regularisation(*, dropout: float = 0.0, l2: float = 0.0) -> dict[str, dict[str, Any]]:
    """What keeps a network from learning its rows by heart."""
    return {
        "dropout": {
            "type": "number",
            "minimum": 0,
            "maximum": 0.95,
            "default": dropout,
            "description": "Share of units left out at random after each hidden layer.",
            "search": {"low": 0.0, "high": 0.5},
        },
        "l1": {
            "type": "number",
            "minimum": 0,
            "maximum": 10,
            "default": 0.0,
            "description": "L1 penalty on the layers' weights.",
        },
        "l2": {
            "type": "number",
            "minimum": 0,
            "maximum": 10,
            "default": l2,
            "description": "L2 penalty on the layers' weights.",
            "search": {"low": 1e-6, "high": 1e-2, "log": True},
        },
    }


ACTIVATION: dict[str, Any] = {
    "type": "string",
    "enum": ["relu", "tanh", "sigmoid", "elu", "gelu"],
    "default": "relu",
    "description": "Activation of the hidden layers.",
    "search": {"choices": ["relu", "tanh", "elu", "gelu"]},
}
