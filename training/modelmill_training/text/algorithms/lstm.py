"""Recurrent networks: embedding, LSTM layers in one or both directions, pooling.

Long short-term memory: https://doi.org/10.1162/neco.1997.9.8.1735
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from modelmill_training.classifier import Model, Request
from modelmill_training.networks import optimizers
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
        value, state = _write_layer(builder, layer, value, counted)
    if any(isinstance(layer, _MaxPooling) for layer in net.layers):
        state = _write_pooling(builder, value, tokens)
    weights, bias = (builder.constant(singles(array)) for array in net.get_layer("scores").get_weights())
    return builder.node("Softmax", builder.node("Gemm", state, weights, bias), axis=1)


def _write_layer(builder: GraphBuilder, layer: Any, value: str, counted: str) -> tuple[str, str]:
    """Of [length, N, width]: the outputs [length, N, units], and the last ones [N, units], directions side by side."""
    weights = layer.get_weights()
    directions = [weights[start : start + 3] for start in range(0, len(weights), 3)]
    stacked = [np.stack([_weights_of(each)[place] for each in directions]) for place in range(3)]
    every, last = builder.nodes(
        "LSTM",
        value,
        *(builder.constant(singles(array)) for array in stacked),
        counted,
        outputs=2,
        hidden_size=stacked[1].shape[2],
        direction="bidirectional" if len(directions) == 2 else "forward",
    )
    return _side_by_side(builder, every, [0, 2, 1, 3]), _side_by_side(builder, last, [1, 0, 2])


def _weights_of(direction: list[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Gates: input, forget, cell, output in Keras, and in ONNX input, output, forget, cell, with a second bias."""
    kernel, recurrent, bias = (_reordered(array) for array in direction)
    return kernel.T, recurrent.T, np.concatenate([bias, np.zeros_like(bias)])


def _reordered(array: NDArray[Any]) -> NDArray[Any]:
    gates = np.split(array, 4, axis=-1)
    return np.concatenate([gates[0], gates[3], gates[1], gates[2]], axis=-1)


def _side_by_side(builder: GraphBuilder, value: str, order: list[int]) -> str:
    """The directions, which `order` brings before the units, as one axis with them."""
    shape = builder.constant(np.array([0] * (len(order) - 2) + [-1]))
    return builder.node("Reshape", builder.node("Transpose", value, perm=order), shape)


def _write_pooling(builder: GraphBuilder, value: str, tokens: str) -> str:
    value = builder.node("Transpose", value, perm=[1, 0, 2])
    real = builder.node("Unsqueeze", tokens, builder.constant(np.array([2])))
    masked = builder.node("Where", real, value, builder.constant(singles(LOWEST)))
    return builder.node("ReduceMax", masked, builder.constant(np.array([1])), keepdims=0)
