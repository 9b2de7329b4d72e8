"""Dense networks in Keras."""

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf

from modelmill_training.algorithms import Model, Request, Rows
from modelmill_training.data import Floats, Matrix
from modelmill_training.onnx_graph import OPSET, GraphBuilder
from modelmill_training.progress import Progress

SCALED = True
STANDARDISED_TARGET = True
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

# Long trainings tell only about this many epochs.
MAX_REPORTS = 500
PREDICTION_BATCH = 4096

# One call from Python runs this many steps, which saves a third of a small net's time.
STEPS_PER_EXECUTION = 16


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


class Reporter(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """Tells every epoch's metrics, and stops at the time limit."""

    def __init__(self, progress: Progress, epochs: int, seconds: float | None) -> None:
        super().__init__()
        self._progress = progress
        self._epochs = epochs
        self._every = max(1, epochs // MAX_REPORTS)
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """See Keras."""
        if (epoch + 1) % self._every == 0 or epoch + 1 == self._epochs:
            self._progress.report("fit", epoch + 1, self._epochs, logs)
        if time.monotonic() > self._end:
            self.model.stop_training = True


def fit(request: Request) -> Model:
    """See `Builder`."""
    keras.utils.set_random_seed(request.seed % 2**32)
    tf.config.experimental.enable_op_determinism()
    given = request.hyperparameters
    _decide(given, len(request.train.target))
    net = _build(request)
    net.compile(
        optimizer=OPTIMIZERS[given["optimizer"]](learning_rate=given["learning_rate"]),
        loss="sparse_categorical_crossentropy" if request.classes else "mse",
        metrics=["accuracy"] if request.classes else [],
        steps_per_execution=STEPS_PER_EXECUTION,
    )
    has_validation = len(request.validation.target) > 0
    net.fit(
        *_arrays(request.train),
        validation_data=_arrays(request.validation) if has_validation else None,
        batch_size=given["batch_size"],
        epochs=given["epochs"],
        callbacks=_callbacks(request, has_validation=has_validation),
        verbose=0,
    )
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


def _callbacks(request: Request, *, has_validation: bool) -> list[Any]:
    given = request.hyperparameters
    callbacks: list[Any] = [Reporter(request.progress, given["epochs"], request.seconds)]
    if given["patience"] and has_validation:
        callbacks.append(
            keras.callbacks.EarlyStopping("val_loss", patience=given["patience"], restore_best_weights=True)
        )
    return callbacks


def _arrays(rows: Rows) -> tuple[Matrix, Any]:
    return rows.features, rows.target.astype(np.int32 if rows.target.dtype.kind == "i" else np.float32)
