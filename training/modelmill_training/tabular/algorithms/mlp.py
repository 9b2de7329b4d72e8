"""Dense networks in Keras."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from modelmill_training.data import Floats, Matrix
from modelmill_training.networks import export, optimizers
from modelmill_training.networks.training import Examples, Schedule, Trainer, class_weights
from modelmill_training.onnx_graph import GraphBuilder
from modelmill_training.tabular.algorithms import Model, Request, Rows

SCALED = True
STANDARDISED_TARGET = True
COSTLY_ROWS = math.inf
LIBRARIES = ("keras", "tensorflow", "tf2onnx")


@dataclass(frozen=True, slots=True)
class Network:
    """A fitted net."""

    net: Any

    def predict(self, features: Matrix) -> Floats:
        """See `Model`."""
        return export.predict(self.net, features)

    def write(self, builder: GraphBuilder, features: str) -> str:
        """See `Model`."""
        return builder.embed(export.to_onnx(self.net), features)


def fit(request: Request) -> Model:
    """See `Builder`."""
    keras.utils.set_random_seed(request.seed % 2**32)
    tf.config.experimental.enable_op_determinism()
    given, rows = request.hyperparameters, len(request.train.target)
    optimizers.decide(given, rows)
    net = _build(request)
    schedule = Schedule(given["epochs"], given["batch_size"], given["patience"], request.seed, request.seconds)
    weights = class_weights(request.train.target, request.classes, given["class_weight"])
    trainer = Trainer(
        net,
        partial(optimizers.optimizer, given, rows),
        classes=request.classes,
        identity={"algorithm": __name__, **given},
        weights=weights,
    )
    examples = _examples(request.train), _examples(request.validation)
    trainer.fit(*examples, schedule, request.progress, request.report)
    return Network(net)


def _examples(rows: Rows) -> Examples:
    return Examples(rows.features, rows.target)


def _build(request: Request) -> Any:
    given, penalty = request.hyperparameters, optimizers.penalty(request.hyperparameters)
    value = inputs = keras.Input((request.train.features.shape[1],), name="features")
    for units in given["layers"]:
        value = keras.layers.Dense(units, activation=given["activation"], kernel_regularizer=penalty)(value)
        if given["dropout"]:
            value = keras.layers.Dropout(given["dropout"])(value)
    outputs, activation = (request.classes, "softmax") if request.classes else (1, "linear")
    value = keras.layers.Dense(outputs, activation=activation, kernel_regularizer=penalty, name="scores")(value)
    return keras.Model(inputs, value)
