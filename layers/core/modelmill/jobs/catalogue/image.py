"""What can be trained on pictures."""

from typing import Any

from modelmill.jobs.catalogue.entry import AUTO, TIME_BUDGET, Algorithm
from modelmill.jobs.catalogue.networks import ACTIVATION, regularisation, training

_TASKS = ("binary", "multiclass")

_PICTURES: dict[str, dict[str, Any]] = {
    "size": {
        "type": ["integer", "null"],
        "minimum": 8,
        "maximum": 512,
        "default": None,
        "description": "Longer side of the pictures that are learned from, in pixels; null takes that of most "
        "pictures, at most 64.",
    },
    "channels": {
        "type": ["integer", "null"],
        "enum": [1, 3, None],
        "default": None,
        "description": "1 learns from shades of grey, 3 from colours; null takes 1 where all pictures are grey.",
    },
    "augmentation": {
        "type": "string",
        "enum": ["none", "shift", "shift_rotate", "flip", "all"],
        "default": "shift_rotate",
        "description": "How training pictures are varied: moved and zoomed a little, turned a little too, mirrored, or "
        "all of it. Mirrored writing is other writing.",
        "search": {"choices": ["none", "shift", "shift_rotate"]},
    },
}

ENTRIES = (
    Algorithm(
        name=AUTO,
        title="Automatic choice",
        summary="Trains cnn, then resnet while the time budget allows, and keeps the better one.",
        kinds=("image",),
        tasks=_TASKS,
        quantizable=True,
        hyperparameters={"time_budget_s": TIME_BUDGET},
    ),
    Algorithm(
        name="cnn",
        title="Convolutional network",
        summary="Convolutions and pooling, as many as the size of the pictures allows, then dense layers.",
        kinds=("image",),
        tasks=_TASKS,
        quantizable=True,
        hyperparameters={
            **_PICTURES,
            "filters": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 1024},
                "minItems": 1,
                "maxItems": 8,
                "default": [32, 64, 64],
                "description": "Filters of each convolution; between two of them pictures are halved by max pooling.",
                "search": {"choices": [[16, 32], [32, 64], [32, 64, 64], [64, 128, 128]]},
            },
            "kernel": {
                "type": "integer",
                "minimum": 1,
                "maximum": 11,
                "default": 3,
                "description": "Side of a filter in pixels.",
                "search": {"choices": [3, 5]},
            },
            "dense": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 4096},
                "maxItems": 4,
                "default": [64],
                "description": "Units of each dense layer before the classes.",
                "search": {"choices": [[], [64], [128], [256]]},
            },
            "batch_normalization": {
                "type": "boolean",
                "default": True,
                "description": "Whether outputs of convolutions are standardised per batch, which speeds learning up.",
            },
            "activation": ACTIVATION,
            **training(epochs=12, patience=4, schedule="cosine"),
            **regularisation(dropout=0.3),
        },
    ),
    Algorithm(
        name="resnet",
        title="Residual network",
        summary="Convolutions in pairs with short cuts round them; deeper, slower, better on many and varied pictures.",
        kinds=("image",),
        tasks=_TASKS,
        quantizable=True,
        hyperparameters={
            **_PICTURES,
            "filters": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 1024},
                "minItems": 1,
                "maxItems": 6,
                "default": [16, 32, 64],
                "description": "Filters of each stage; between two of them pictures are halved.",
                "search": {"choices": [[16, 32], [16, 32, 64], [32, 64, 128]]},
            },
            "blocks": {
                "type": "integer",
                "minimum": 1,
                "maximum": 12,
                "default": 2,
                "description": "Residual blocks of a stage, of two convolutions each.",
                "search": {"low": 1, "high": 3},
            },
            **training(epochs=15, patience=5, schedule="cosine"),
            **regularisation(l2=1e-4),
        },
    ),
)
