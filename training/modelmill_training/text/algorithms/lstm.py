"""Recurrent networks: embedding, LSTM layers in one or both directions, pooling.

Long short-term memory: https://doi.org/10.1162/neco.1997.9.8.1735
"""

from typing import Any

import keras
import numpy as np

from modelmill_training.classifier import Model, Request
from modelmill_training.networks import optimizers
from modelmill_training.networks.recurrent import write_layer
from modelmill_training.onnx_graph import INT32, GraphBuilder, singles
from modelmill_training.text import network
from modelmill_training.text.network import real_tokens
from modelmill_training.text.tokens import PADDING_ID

REFITS = False
LIBRARIES = ("keras", "tensorflow", "tokenizers")

# An LSTM's outputs lie above it.
LOWEST = -1.0


def fit(request: Request) -> Model:
    """See `Builder`."""
    return network.fit(request, _build, _write)


def _build(vocabulary: int, request: Request) -> Any:
    given, penalty = request.hyperparameters, optimizers.penalty(request.hyperparameters)
    ids = keras.Input((None,), dtype="int32", name="input_ids")
    value = keras.layers.Embedding(vocabulary, given["embedding"], mask_zero=True, name="embedding")(ids)
    if given["dropout"]:
        value = keras.layers.SpatialDropout1D(given["dropout"])(value)
    for place, units in enumerate(given["units"]):
        whole = given["pooling"] == "max" or place < len(given["units"]) - 1
        layer = keras.layers.LSTM(units, return_sequences=whole, kernel_regularizer=penalty)
        value = (keras.layers.Bidirectional(layer) if given["bidirectional"] else layer)(value)
    if given["pooling"] == "max":
        value = _MaxPooling()(value, real_tokens(ids))
    if given["dropout"]:
        value = keras.layers.Dropout(given["dropout"])(value)
    value = keras.layers.Dense(request.classes, activation="softmax", kernel_regularizer=penalty, name="scores")(value)
    return keras.Model(ids, value)


class _MaxPooling(keras.layers.Layer):  # type: ignore[misc]
    """The largest value of each unit over the tokens of a text."""

    supports_masking = True

    def call(self, value: Any, tokens: Any) -> Any:
        """[N, length, units] and [N, length] to [N, units]."""
        return keras.ops.max(keras.ops.where(tokens[..., None] > 0, value, LOWEST), axis=1)

    def compute_mask(self, *_: Any) -> None:
        """Tokens are gone."""


def _write(net: Any, builder: GraphBuilder, ids: str) -> str:
    """With ONNX's own LSTM, which is many times faster than a loop of its parts."""
    tokens = builder.node("Not", builder.node("Equal", ids, builder.constant(np.array(PADDING_ID, dtype=np.int64))))
    counted = builder.node("ReduceSum", builder.cast(tokens, INT32), builder.constant(np.array([1])), keepdims=0)
    value = builder.node("Gather", builder.constant(net.get_layer("embedding").get_weights()[0]), ids)
    value = builder.node("Transpose", value, perm=[1, 0, 2])
    state = ""
    layers = [layer for layer in net.layers if isinstance(layer, keras.layers.LSTM | keras.layers.Bidirectional)]
    for layer in layers:
        value, state = write_layer(builder, layer, value, counted)
    if any(isinstance(layer, _MaxPooling) for layer in net.layers):
        state = _write_pooling(builder, value, tokens)
    weights, bias = (builder.constant(singles(array)) for array in net.get_layer("scores").get_weights())
    return builder.node("Softmax", builder.node("Gemm", state, weights, bias), axis=1)


def _write_pooling(builder: GraphBuilder, value: str, tokens: str) -> str:
    value = builder.node("Transpose", value, perm=[1, 0, 2])
    real = builder.node("Unsqueeze", tokens, builder.constant(np.array([2])))
    masked = builder.node("Where", real, value, builder.constant(singles(LOWEST)))
    return builder.node("ReduceMax", masked, builder.constant(np.array([1])), keepdims=0)
