"""Self-attention encoders trained from scratch: token and position embeddings, encoder layers, mean pooling.

https://arxiv.org/abs/1706.03762, with layer normalisation before each part: https://arxiv.org/abs/2002.04745
"""

from typing import Any

import keras
from keras import ops

from modelmill.errors import InvalidRequest
from modelmill_training.classifier import Model, Request
from modelmill_training.networks import export, optimizers
from modelmill_training.onnx_graph import INT32, GraphBuilder
from modelmill_training.text import network
from modelmill_training.text.network import real_tokens

REFITS = False
LIBRARIES = ("keras", "tensorflow", "tf2onnx", "tokenizers")


def fit(request: Request) -> Model:
    """See `Builder`.

    Raises:
        InvalidRequest: the embedding cannot be dealt among the heads.
    """
    given = request.hyperparameters
    if given["embedding"] % given["heads"]:
        raise InvalidRequest(f"embedding got {given['embedding']}, expected a multiple of heads, {given['heads']}")
    return network.fit(request, _build, _write)


def _build(vocabulary: int, request: Request) -> Any:
    given, penalty = request.hyperparameters, optimizers.penalty(request.hyperparameters)
    ids = keras.Input((None,), dtype="int32", name="input_ids")
    tokens = real_tokens(ids)
    value = keras.layers.Embedding(vocabulary, given["embedding"], name="embedding")(ids)
    value = _Positions(given["max_length"])(value)
    value = keras.layers.Dropout(given["dropout"])(value)
    for _ in range(given["layers"]):
        value = _encode(value, tokens, given, penalty)
    value = _MeanPooling()(keras.layers.LayerNormalization()(value), tokens)
    value = keras.layers.Dropout(given["dropout"])(value)
    value = keras.layers.Dense(request.classes, activation="softmax", kernel_regularizer=penalty, name="scores")(value)
    return keras.Model(ids, value)


def _encode(value: Any, tokens: Any, given: dict[str, Any], penalty: Any) -> Any:
    """One encoder layer."""
    width, heads = given["embedding"], given["heads"]
    attention = keras.layers.MultiHeadAttention(
        heads, width // heads, dropout=given["dropout"], kernel_regularizer=penalty, flash_attention=False
    )
    normal = keras.layers.LayerNormalization()(value)
    value = value + attention(normal, normal, attention_mask=ops.expand_dims(tokens, 1) > 0)
    inner = keras.layers.Dense(given["feed_forward"], activation="relu", kernel_regularizer=penalty)
    outer = keras.layers.Dense(width, kernel_regularizer=penalty)
    return value + keras.layers.Dropout(given["dropout"])(outer(inner(keras.layers.LayerNormalization()(value))))


class _Positions(keras.layers.Layer):  # type: ignore[misc]
    """Adds a learned vector for each place in the text."""

    def __init__(self, longest: int, **options: Any) -> None:
        super().__init__(**options)
        self._longest = longest

    def build(self, shape: tuple[int | None, ...]) -> None:
        """One vector of the embedding's width for each place."""
        self._vectors = self.add_weight(shape=(self._longest, shape[-1]), initializer="uniform", name="positions")

    def call(self, value: Any) -> Any:
        """[N, length, width], length at most the longest."""
        return value + self._vectors[: ops.shape(value)[1]]


class _MeanPooling(keras.layers.Layer):  # type: ignore[misc]
    """The mean of each number over the tokens of a text."""

    def call(self, value: Any, tokens: Any) -> Any:
        """[N, length, width] and [N, length] to [N, width]."""
        total = ops.sum(value * tokens[..., None], axis=1)
        return total / ops.maximum(ops.sum(tokens, axis=1, keepdims=True), 1.0)


def _write(net: Any, builder: GraphBuilder, ids: str) -> str:
    return builder.embed(export.to_onnx(net), builder.cast(ids, INT32))
