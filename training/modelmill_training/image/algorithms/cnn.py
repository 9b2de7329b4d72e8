"""Convolutional networks: convolution and pooling as often as the pictures' size allows, then dense layers."""

from typing import Any

import keras

from modelmill_training.classifier import Model, Request
from modelmill_training.image import network
from modelmill_training.networks import optimizers

REFITS = False
LIBRARIES = network.LIBRARIES

# Smaller than this nothing is pooled.
SMALLEST = 4


def fit(request: Request) -> Model:
    """See `Builder`."""
    return network.fit(request, _build)


def _build(request: Request) -> Any:
    given, penalty = request.hyperparameters, optimizers.penalty(request.hyperparameters)
    pixels, value = network.inputs(request)
    for filters in given["filters"]:
        value = _convolve(value, filters, given, penalty)
        if min(value.shape[1:3]) >= SMALLEST:
            value = keras.layers.MaxPooling2D()(value)
    value = keras.layers.Flatten()(value)
    for units in given["dense"]:
        value = keras.layers.Dense(units, activation=given["activation"], kernel_regularizer=penalty)(value)
        value = keras.layers.Dropout(given["dropout"])(value)
    value = keras.layers.Dense(request.classes, activation="softmax", kernel_regularizer=penalty, name="scores")(value)
    return keras.Model(pixels, value)


def _convolve(value: Any, filters: int, given: dict[str, Any], penalty: Any) -> Any:
    standardised = given["batch_normalization"]
    value = keras.layers.Conv2D(
        filters, given["kernel"], padding="same", use_bias=not standardised, kernel_regularizer=penalty
    )(value)
    if standardised:
        value = keras.layers.BatchNormalization(momentum=0.9)(value)
    return keras.layers.Activation(given["activation"])(value)
