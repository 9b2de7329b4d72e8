"""LSTM layers that correct a linear forecast, trained with Keras.

Long short-term memory: https://doi.org/10.1162/neco.1997.9.8.1735
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np

from modelmill_training.data import Floats, Matrix
from modelmill_training.networks import optimizers
from modelmill_training.networks.export import predict
from modelmill_training.networks.recurrent import write_layer
from modelmill_training.networks.training import Examples, Schedule, Trainer
from modelmill_training.onnx_graph import DOUBLE, FLOAT, GraphBuilder, doubles, singles
from modelmill_training.timeseries import linear
from modelmill_training.timeseries.algorithms import Model, Request
from modelmill_training.timeseries.frame import Frame, Names, Scaled
from modelmill_training.timeseries.linear import Linear
from modelmill_training.timeseries.windows import Windows

REFITS = False
LIBRARIES = ("keras", "tensorflow")

# What null means for `steps`, and the origins that an epoch takes at most.
LONGEST = 96
MAX_ORIGINS = 20_000
EVALUATION_BATCH = 512

# Of each part of a step's time but its seconds: its lowest value and its period.
CYCLES = np.array([[1, 12], [1, 31], [0, 7], [0, 24]], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Recurrent:
    """The linear forecast and the net that corrects it; the net reads the last `steps` of a window."""

    frame: Frame
    linear: Linear
    net: Any
    steps: int

    def predict(self, windows: Windows) -> Floats:
        """See `Model`."""
        scaled = self.frame.scale(windows)
        inputs = _inputs(self.frame, windows, scaled, self.steps)
        return self.linear.predict(self.frame, windows, scaled) + predict(self.net, inputs, EVALUATION_BATCH)

    def write(self, builder: GraphBuilder, names: Names) -> str:
        """See `Model`."""
        value, calendar = _write_inputs(builder, self.frame, names, self.steps)
        state = ""
        for layer in self.net.layers:
            if isinstance(layer, keras.layers.LSTM):
                value, state = write_layer(builder, layer, value)
        weights, bias = (builder.constant(singles(array)) for array in self.net.get_layer("corrections").get_weights())
        corrected = builder.node("Gemm", builder.node("Concat", state, calendar, axis=1), weights, bias)
        return builder.node("Add", self.linear.write(builder, names), builder.cast(corrected, DOUBLE))


def fit(request: Request) -> Model:
    """See `Builder`."""
    keras.utils.set_random_seed(request.seed % 2**32)
    frame, given = request.frame, request.hyperparameters
    given["steps"] = min(given["steps"] or LONGEST, frame.form.window)
    train = _sampled(request.train, request.seed)
    rough, request.decided["penalty"] = linear.fit(frame, request.train, request.validation)
    optimizers.decide(given, len(train.origin))
    net = _build(frame, given)
    trainer = Trainer(
        net,
        partial(optimizers.optimizer, given, len(train.origin)),
        classes=0,
        identity={"algorithm": __name__, **given},
        evaluation_batch=EVALUATION_BATCH,
    )
    schedule = Schedule(given["epochs"], given["batch_size"], given["patience"], request.seed, request.seconds)
    parts = [_examples(frame, rough, part, given["steps"]) for part in (train, request.validation) if part is not None]
    trainer.fit(parts[0], parts[-1], schedule, request.progress, request.report)
    return Recurrent(frame, rough, net, given["steps"])


def _build(frame: Frame, given: dict[str, Any]) -> Any:
    steps, width, penalty = given["steps"], 1 + frame.width, optimizers.penalty(given)
    packed = keras.Input((steps * width + 2 * len(CYCLES),), name="packed")
    value = keras.layers.Reshape((steps, width))(packed[:, : steps * width])
    for place, units in enumerate(given["units"]):
        whole = place < len(given["units"]) - 1
        value = keras.layers.LSTM(units, return_sequences=whole, kernel_regularizer=penalty)(value)
        if given["dropout"]:
            value = keras.layers.Dropout(given["dropout"])(value)
    value = keras.layers.Concatenate()([value, packed[:, steps * width :]])
    # From zero on, so that it begins as the linear forecast.
    last = keras.layers.Dense(
        frame.form.horizon, kernel_initializer="zeros", kernel_regularizer=penalty, name="corrections"
    )
    return keras.Model(packed, last(value))


def _sampled(windows: Windows, seed: int) -> Windows:
    if len(windows.origin) <= MAX_ORIGINS:
        return windows
    chosen = np.random.default_rng(seed).choice(len(windows.origin), MAX_ORIGINS, replace=False)
    return windows.take(np.sort(chosen))


def _examples(frame: Frame, rough: Linear, windows: Windows, steps: int) -> Examples:
    scaled = frame.scale(windows)
    lacking = linear.corrections(windows, scaled) - rough.predict(frame, windows, scaled)
    return Examples(_inputs(frame, windows, scaled, steps), lacking)


def _inputs(frame: Frame, windows: Windows, scaled: Scaled, steps: int) -> Matrix:
    """[N, steps * width + 8]: step by step the value and the covariates, then the calendar of the first step ahead."""
    sequence = np.concatenate([scaled.lags[:, -steps:, None], frame.covariates(windows, steps)], axis=2)
    angles = 2 * np.pi * (windows.steps[:, 0, 1:] - CYCLES[:, 0]) / CYCLES[:, 1]
    parts = [sequence.reshape(len(sequence), -1), np.sin(angles), np.cos(angles)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _write_inputs(builder: GraphBuilder, frame: Frame, names: Names, steps: int) -> tuple[str, str]:
    """The sequence [steps, N, width] and the calendar [N, 8], float."""
    places = builder.constant(np.arange(frame.form.window - steps, frame.form.window))
    sequence = builder.node(
        "Unsqueeze", builder.node("Gather", names.lags, places, axis=1), builder.constant(np.array([2]))
    )
    if names.covariates:
        sequence = builder.node("Concat", sequence, builder.node("Gather", names.covariates, places, axis=1), axis=2)
    sequence = builder.cast(builder.node("Transpose", sequence, perm=[1, 0, 2]), FLOAT)
    first = builder.node("Gather", "steps", builder.constant(np.array(0)), axis=1)
    parts = builder.node("Gather", first, builder.constant(np.arange(1, 1 + len(CYCLES))), axis=1)
    centred = builder.node("Sub", parts, builder.constant(CYCLES[:, 0].copy()))
    angles = builder.node("Mul", centred, builder.constant(doubles(2 * np.pi / CYCLES[:, 1])))
    calendar = builder.node("Concat", builder.node("Sin", angles), builder.node("Cos", angles), axis=1)
    return sequence, builder.cast(calendar, FLOAT)
