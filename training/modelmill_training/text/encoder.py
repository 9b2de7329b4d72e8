"""Encoders of the BERT family, from the weights of a base model, in Keras and as ONNX.

https://arxiv.org/abs/1810.04805, computed exactly as the base model was: `gelu` by the error function, a normalisation
after each part, its own epsilon.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from modelmill_training.text.base_model import BaseModel, Weights
from modelmill_training.text.network import real_tokens

HIDDEN = -1e9


class Encoder(keras.layers.Layer):  # type: ignore[misc]
    """Token ids [N, length] to one vector [N, width] for each text.

    Args:
        base: where the weights come from.
        pooling: `mean` of the tokens, or `first`.
        dropout: share of numbers left out while learning.
    """

    def __init__(self, base: BaseModel, pooling: str, dropout: float) -> None:
        super().__init__(name="encoder")
        self.architecture = base.architecture
        self.pooling = pooling
        self._config = {"base": base, "pooling": pooling, "dropout": dropout}
        self._dropout = keras.layers.Dropout(dropout)
        self._parts = {
            part: self.add_weight(
                shape=array.shape, initializer=_constant(array), name=part.replace(".", "_"), dtype="float32"
            )
            for part, array in base.weights.items()
        }
        self.built = True

    def call(self, ids: Any, training: bool = False) -> Any:
        """[N, length] int32, length at most the architecture's, to [N, width]."""
        sizes, parts = self.architecture, self._parts
        tokens = real_tokens(ids, sizes.padding)
        first, length = sizes.first_position, ops.shape(ids)[1]
        states = ops.take(parts["token.table"], ids, axis=0) + parts["position.table"][first : first + length]
        if sizes.segments:
            states = states + parts["segment.table"][0]
        states = self._dropout(self._normal("norm", states), training=training)
        hidden = (1.0 - tokens)[:, None, None, :] * HIDDEN
        for layer in range(sizes.layers):
            mixed = self._attention(f"{layer}.", states, hidden, training)
            states = self._normal(f"{layer}.attention_norm", states + self._dropout(mixed, training=training))
            inner = _activate(sizes.activation, self._dense(f"{layer}.inner", states))
            outer = self._dropout(self._dense(f"{layer}.outer", inner), training=training)
            states = self._normal(f"{layer}.output_norm", states + outer)
        return self._pooled(states, tokens)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """[N, width]."""
        return (shape[0], self.architecture.width)

    def get_config(self) -> dict[str, Any]:
        """What copies on other devices are made from."""
        return dict(self._config)

    def weights_by_part(self) -> Weights:
        """As they are now."""
        return {part: np.asarray(variable) for part, variable in self._parts.items()}

    def _attention(self, place: str, states: Any, hidden: Any, training: bool) -> Any:
        heads, width = self.architecture.heads, self.architecture.width
        shape = (ops.shape(states)[0], ops.shape(states)[1], heads, width // heads)
        query, key, value = (
            ops.transpose(ops.reshape(self._dense(place + part, states), shape), (0, 2, 1, 3))
            for part in ("query", "key", "value")
        )
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / math.sqrt(width // heads) + hidden
        mixed = ops.matmul(self._dropout(ops.softmax(scores), training=training), value)
        return self._dense(place + "joined", ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (*shape[:2], width)))

    def _dense(self, name: str, value: Any) -> Any:
        return ops.matmul(value, self._parts[f"{name}.kernel"]) + self._parts[f"{name}.bias"]

    def _normal(self, name: str, value: Any) -> Any:
        mean, variance = ops.moments(value, axes=-1, keepdims=True)
        scaled = (value - mean) * ops.rsqrt(variance + self.architecture.epsilon)
        return scaled * self._parts[f"{name}.scale"] + self._parts[f"{name}.shift"]

    def _pooled(self, states: Any, tokens: Any) -> Any:
        if self.pooling == "first":
            return states[:, 0]
        return ops.sum(states * tokens[..., None], axis=1) / ops.maximum(ops.sum(tokens, axis=1, keepdims=True), 1.0)


def _constant(array: Any) -> Any:
    return lambda _shape, dtype: ops.convert_to_tensor(array, dtype)


def _activate(name: str, value: Any) -> Any:
    if name == "relu":
        return ops.relu(value)
    return ops.gelu(value, approximate=name == "gelu_new")
