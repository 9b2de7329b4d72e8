"""Small residual networks, for pictures of some tens of pixels: https://arxiv.org/abs/1512.03385 (section 4.2)."""

from typing import Any

import keras

from modelmill_training.classifier import Model, Request
from modelmill_training.image import network
from modelmill_training.networks import optimizers

REFITS = False
LIBRARIES = network.LIBRARIES


def fit(request: Request) -> Model:
    """See `Builder`."""
    return network.fit(request, _build)


def _build(request: Request) -> Any:
    given, penalty = request.hyperparameters, optimizers.penalty(request.hyperparameters)
    pixels, value = network.inputs(request)
    value = _convolve(value, given["filters"][0], 1, penalty)
    for stage, filters in enumerate(given["filters"]):
        for block in range(given["blocks"]):
            value = _residual(value, filters, 2 if stage and not block else 1, penalty)
    value = keras.layers.GlobalAveragePooling2D()(value)
    value = keras.layers.Dropout(given["dropout"])(value)
    value = keras.layers.Dense(request.classes, activation="softmax", kernel_regularizer=penalty, name="scores")(value)
    return keras.Model(pixels, value)


def _residual(value: Any, filters: int, stride: int, penalty: Any) -> Any:
    """Two convolutions and a short cut, of one pixel's width where the shape changes."""
    found = _convolve(value, filters, stride, penalty)
    found = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_regularizer=penalty)(found)
    found = keras.layers.BatchNormalization(momentum=0.9)(found)
    if stride > 1 or value.shape[-1] != filters:
        value = keras.layers.Conv2D(filters, 1, strides=stride, use_bias=False, kernel_regularizer=penalty)(value)
        value = keras.layers.BatchNormalization(momentum=0.9)(value)
    return keras.layers.ReLU()(keras.layers.Add()([value, found]))


def _convolve(value: Any, filters: int, stride: int, penalty: Any) -> Any:
    value = keras.layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False, kernel_regularizer=penalty)(
        value
    )
    return keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(value))
