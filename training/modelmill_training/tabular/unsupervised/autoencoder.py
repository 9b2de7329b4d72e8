"""Dense autoencoders in Keras: what they read back badly is strange, and the code between has fewer dimensions."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelmill_training.data import Matrix
from modelmill_training.networks import export, optimizers
from modelmill_training.networks.training import Examples, Schedule, Trainer
from modelmill_training.onnx_graph import DOUBLE, FLOAT, GraphBuilder, doubles, singles
from modelmill_training.parity import Outputs
from modelmill_training.tabular.unsupervised import Request
from modelmill_training.tabular.unsupervised.anomalies import Detector, detector

SCALED = True
LIBRARIES = ("keras", "tensorflow", "tf2onnx")

SMALLEST_CODE, LARGEST_CODE = 2, 64

# Beyond this many deviations a number is only strange: the net shall not overflow, whatever a request holds.
LARGEST = 1e6
LARGEST_SCORE = 1e38


@dataclass(frozen=True, slots=True)
class Autoencoder:
    """A fitted pair of nets."""

    encoder: Any
    decoder: Any

    @property
    def code_size(self) -> int:
        """See `Scorer`."""
        return int(self.encoder.output.shape[1])

    def predict(self, features: Matrix) -> Outputs:
        """See `Scorer`."""
        rows = np.clip(features, -LARGEST, LARGEST)
        code = export.predict(self.encoder, rows)
        error = rows - export.predict(self.decoder, code.astype(np.float32))
        return {"embedding": code, "score": np.minimum(np.square(error).mean(axis=1), LARGEST_SCORE)}

    def write(self, builder: GraphBuilder, features: str) -> str:
        """See `Scorer`."""
        low, high = (builder.constant(singles(limit)) for limit in (-LARGEST, LARGEST))
        rows = builder.node("Clip", features, low, high)
        code = builder.node("Identity", builder.embed(export.to_onnx(self.encoder), rows), output="embedding")
        back = builder.embed(export.to_onnx(self.decoder), code)
        error = builder.node("Sub", builder.cast(rows, DOUBLE), builder.cast(back, DOUBLE))
        squares = builder.node("Mul", error, error)
        score = builder.node("ReduceMean", squares, builder.constant(np.array([1])), keepdims=0)
        return builder.cast(builder.node("Min", score, builder.constant(doubles(LARGEST_SCORE))), FLOAT)


def fit(request: Request) -> Detector:
    """See `Builder`. Rows that were not learned from say which errors are usual."""
    keras.utils.set_random_seed(request.seed % 2**32)
    tf.config.experimental.enable_op_determinism()
    given, (rows, width) = request.hyperparameters, request.train.shape
    optimizers.decide(given, rows)
    given["code_size"] = given["code_size"] or _usual_code(width)
    encoder, decoder = _build(given, width)
    trainer = Trainer(
        _joined(encoder, decoder, width),
        partial(optimizers.optimizer, given, rows),
        classes=0,
        identity={"algorithm": __name__, **given},
    )
    schedule = Schedule(given["epochs"], given["batch_size"], given["patience"], request.seed)
    trainer.fit(_examples(request.train), _examples(request.validation), schedule, request.progress)
    held_out = request.validation if len(request.validation) else request.train
    return detector(Autoencoder(encoder, decoder), held_out, given["quantile"])


def _usual_code(width: int) -> int:
    """A code as wide as the features would let all of them through."""
    return max(1, min(LARGEST_CODE, max(SMALLEST_CODE, math.ceil(width / 4)), width - 1))


def _examples(features: Matrix) -> Examples:
    return Examples(features, features)


def _build(given: dict[str, Any], width: int) -> tuple[Any, Any]:
    inputs, code = keras.Input((width,), name="features"), keras.Input((given["code_size"],), name="code")
    penalty = optimizers.penalty(given)
    narrowed = _hidden(inputs, given["layers"], given, penalty)
    widened = _hidden(code, reversed(given["layers"]), given, penalty)
    encoder = keras.Model(inputs, keras.layers.Dense(given["code_size"], kernel_regularizer=penalty)(narrowed))
    return encoder, keras.Model(code, keras.layers.Dense(width, kernel_regularizer=penalty)(widened))


def _hidden(value: Any, layers: Iterable[int], given: dict[str, Any], penalty: Any) -> Any:
    for units in layers:
        value = keras.layers.Dense(units, activation=given["activation"], kernel_regularizer=penalty)(value)
        if given["dropout"]:
            value = keras.layers.Dropout(given["dropout"])(value)
    return value


def _joined(encoder: Any, decoder: Any, width: int) -> Any:
    inputs = keras.Input((width,), name="features")
    return keras.Model(inputs, decoder(encoder(inputs)))
