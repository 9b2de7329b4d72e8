"""What can be trained on tables that have no column to be predicted."""

from typing import Any

from modelmill.jobs.catalogue.entry import Algorithm
from modelmill.jobs.catalogue.networks import ACTIVATION, regularisation, training

CLUSTERING = "clustering"
ANOMALY_DETECTION = "anomaly_detection"
TASKS = (CLUSTERING, ANOMALY_DETECTION)

# What `auto` trains for each task.
USUAL = {CLUSTERING: "kmeans", ANOMALY_DETECTION: "isolation_forest"}

_QUANTILE: dict[str, Any] = {
    "type": "number",
    "minimum": 0.5,
    "maximum": 1,
    "default": 0.99,
    "description": "Share of the rows that are taken for normal; the threshold is this quantile of their scores.",
}

_TRAINING = {name: schema for name, schema in training(epochs=200, patience=15).items() if name != "class_weight"}

ENTRIES = (
    Algorithm(
        name="kmeans",
        title="k-means clustering",
        summary="Rows in groups, each around a centre; how many groups there are is chosen by silhouette where it is "
        "not asked for.",
        kinds=("tabular",),
        tasks=(CLUSTERING,),
        hyperparameters={
            "clusters": {
                "type": ["integer", "null"],
                "minimum": 2,
                "maximum": 100,
                "default": None,
                "description": "Groups; null tries 2 to 10 and takes those with the highest silhouette.",
            },
            "n_init": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100,
                "default": 10,
                "description": "Starts from other centres, of which the best is kept.",
            },
            "max_iterations": {
                "type": "integer",
                "minimum": 1,
                "maximum": 10_000,
                "default": 300,
                "description": "Moves of the centres at most, in each start.",
            },
        },
    ),
    Algorithm(
        name="isolation_forest",
        title="Isolation forest",
        summary="Scores how few random cuts set a row apart from the others. Seconds to train, robust without tuning.",
        kinds=("tabular",),
        tasks=(ANOMALY_DETECTION,),
        hyperparameters={
            "trees": {
                "type": "integer",
                "minimum": 1,
                "maximum": 1000,
                "default": 100,
                "description": "Number of trees.",
            },
            "max_samples": {
                "type": ["integer", "null"],
                "minimum": 2,
                "maximum": 65_536,
                "default": None,
                "description": "Rows that each tree is grown on; null takes 256. All, where there are fewer.",
            },
            "max_features": {
                "type": "number",
                "minimum": 0.01,
                "maximum": 1,
                "default": 1.0,
                "description": "Share of the features that each tree sees.",
            },
            "quantile": _QUANTILE,
        },
    ),
    Algorithm(
        name="autoencoder",
        title="Autoencoder",
        summary="A network that writes each row as a short code and reads it back: what it reads back badly is "
        "anomalous, and the code is a row in fewer dimensions.",
        kinds=("tabular",),
        tasks=(ANOMALY_DETECTION,),
        quantizable=True,
        hyperparameters={
            "layers": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 4096},
                "maxItems": 8,
                "default": [64],
                "description": "Units of each layer before the code; after it they come in reverse. [] is linear.",
            },
            "code_size": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 1024,
                "default": None,
                "description": "Numbers of the code; null takes a quarter of the features, from 2 to 64.",
            },
            "quantile": _QUANTILE,
            "activation": ACTIVATION,
            **_TRAINING,
            **regularisation(),
        },
    ),
)
