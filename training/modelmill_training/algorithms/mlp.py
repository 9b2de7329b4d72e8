"""Dense networks in Keras."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf

from modelmill_training.algorithms import Model, Request
from modelmill_training.algorithms.keras_training import Schedule, Trainer
from modelmill_training.data import Floats, Matrix
from modelmill_training.onnx_graph import OPSET, GraphBuilder

SCALED = True
STANDARDISED_TARGET = True
COSTLY_ROWS = math.inf
LIBRARIES = ("keras", "tensorflow", "tf2onnx")

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
}
LEARNING_RATES = {"sgd": 0.01}
USUAL_LEARNING_RATE = 0.001

SMALLEST_BATCH, LARGEST_BATCH = 32, 2048
STEPS_PER_EPOCH = 300
PREDICTION_BATCH = 4096


@dataclass(frozen=True, slots=True)
class Network:
    """A fitted net."""

    net: Any

    def predict(self, features: Matrix) -> Floats:
        """See `Model`."""
        parts = [
            np.asarray(self.net(features[start : start + PREDICTION_BATCH], training=False), dtype=np.float64)
            for start in range(0, len(features), PREDICTION_BATCH)
        ]
        return np.concatenate(parts)

    def write(self, builder: GraphBuilder, features: str) -> str:
        """See `Model`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.onnx"
            self.net.export(path, format="onnx", opset_version=OPSET, verbose=False)
            exported = onnx.ModelProto.FromString(path.read_bytes())
        return builder.embed(exported, features)


def fit(request: Request) -> Model:
    """See `Builder`."""
    keras.utils.set_random_seed(request.seed % 2**32)
    tf.config.experimental.enable_op_determinism()
    given = request.hyperparameters
    _decide(given, len(request.train.target))
    net = _build(request)
    optimizer = OPTIMIZERS[given["optimizer"]](learning_rate=given["learning_rate"])
    schedule = Schedule(given["epochs"], given["batch_size"], given["patience"], request.seed, request.seconds)
    trainer = Trainer(net, optimizer, classification=bool(request.classes))
    trainer.fit(request.train, request.validation, schedule, request.progress)
    return Network(net)


def _decide(given: dict[str, Any], rows: int) -> None:
    if given["learning_rate"] is None:
        given["learning_rate"] = LEARNING_RATES.get(given["optimizer"], USUAL_LEARNING_RATE)
    if given["batch_size"] is None:
        wanted = 2 ** round(math.log2(max(1, rows / STEPS_PER_EPOCH)))
        given["batch_size"] = min(LARGEST_BATCH, max(SMALLEST_BATCH, wanted))


def _build(request: Request) -> Any:
    given = request.hyperparameters
    penalty = keras.regularizers.L2(given["l2"]) if given["l2"] else None
    value = inputs = keras.Input((request.train.features.shape[1],), name="features")
    for units in given["layers"]:
        value = keras.layers.Dense(units, activation=given["activation"], kernel_regularizer=penalty)(value)
        if given["dropout"]:
            value = keras.layers.Dropout(given["dropout"])(value)
    outputs, activation = (request.classes, "softmax") if request.classes else (1, "linear")
    value = keras.layers.Dense(outputs, activation=activation, kernel_regularizer=penalty, name="scores")(value)
    return keras.Model(inputs, value)
