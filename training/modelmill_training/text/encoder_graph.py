"""Encoders of the BERT family as ONNX, node by node: the computation of `text.encoder`."""

import math

import numpy as np

from modelmill.base_models.architecture import Architecture
from modelmill_training.onnx_graph import FLOAT, GraphBuilder, singles
from modelmill_training.text.base_model import Weights
from modelmill_training.text.encoder import HIDDEN


def write_encoder(builder: GraphBuilder, ids: str, architecture: Architecture, weights: Weights, pooling: str) -> str:
    """Append the encoder to a graph: from its ids [N, length] int64 the name of the vectors [N, width], float."""
    return _Writer(builder, architecture, weights).write(ids, pooling)


class _Writer:
    def __init__(self, builder: GraphBuilder, architecture: Architecture, weights: Weights) -> None:
        self._builder, self._sizes, self._weights = builder, architecture, weights

    def write(self, ids: str, pooling: str) -> str:
        builder = self._builder
        padding = builder.node("Equal", ids, self._integers(self._sizes.padding))
        states = self._normal("norm", self._embedded(ids))
        hidden = builder.node("Mul", builder.cast(padding, FLOAT), builder.constant(singles(HIDDEN)))
        hidden = builder.node("Unsqueeze", hidden, self._integers([1, 2]))
        for layer in range(self._sizes.layers):
            mixed = self._attention(f"{layer}.", states, hidden)
            states = self._normal(f"{layer}.attention_norm", builder.node("Add", states, mixed))
            outer = self._dense(f"{layer}.outer", self._activated(self._dense(f"{layer}.inner", states)))
            states = self._normal(f"{layer}.output_norm", builder.node("Add", states, outer))
        if pooling == "first":
            return builder.node("Gather", states, self._integers(0), axis=1)
        return self._mean(states, builder.cast(builder.node("Not", padding), FLOAT))

    def _embedded(self, ids: str) -> str:
        builder, weights, first = self._builder, self._weights, self._sizes.first_position
        positions = weights["position.table"][first:]
        if self._sizes.segments:
            positions = positions + weights["segment.table"][0]
        length = builder.node("Shape", ids, start=1, end=2)
        rows = builder.node("Slice", builder.constant(positions), self._integers([0]), length, self._integers([0]))
        return builder.node("Add", builder.node("Gather", builder.constant(weights["token.table"]), ids), rows)

    def _attention(self, place: str, states: str, hidden: str) -> str:
        builder, heads = self._builder, self._sizes.heads
        size = self._sizes.width // heads
        query, key, value = (
            builder.node(
                "Transpose",
                builder.node("Reshape", self._dense(place + part, states), self._integers([0, 0, heads, size])),
                perm=order,
            )
            for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        scores = builder.node("Div", builder.node("MatMul", query, key), builder.constant(singles(math.sqrt(size))))
        shares = builder.node("Softmax", builder.node("Add", scores, hidden), axis=-1)
        mixed = builder.node("Transpose", builder.node("MatMul", shares, value), perm=[0, 2, 1, 3])
        return self._dense(place + "joined", builder.node("Reshape", mixed, self._integers([0, 0, heads * size])))

    def _dense(self, name: str, value: str) -> str:
        kernel, bias = (self._builder.constant(self._weights[f"{name}.{part}"]) for part in ("kernel", "bias"))
        return self._builder.node("Add", self._builder.node("MatMul", value, kernel), bias)

    def _normal(self, name: str, value: str) -> str:
        scale, shift = (self._builder.constant(self._weights[f"{name}.{part}"]) for part in ("scale", "shift"))
        return self._builder.node("LayerNormalization", value, scale, shift, axis=-1, epsilon=self._sizes.epsilon)

    def _activated(self, value: str) -> str:
        """Opset 18 has no Gelu: https://arxiv.org/abs/1606.08415"""
        builder, half = self._builder, self._builder.constant(singles(0.5))
        if self._sizes.activation == "relu":
            return builder.node("Relu", value)
        if self._sizes.activation == "gelu":
            bent = builder.node("Erf", builder.node("Div", value, builder.constant(singles(math.sqrt(2)))))
        else:
            cube = builder.node("Mul", builder.node("Mul", value, value), value)
            sum_ = builder.node("Add", value, builder.node("Mul", cube, builder.constant(singles(0.044715))))
            bent = builder.node("Tanh", builder.node("Mul", sum_, builder.constant(singles(math.sqrt(2 / math.pi)))))
        raised = builder.node("Add", bent, builder.constant(singles(1.0)))
        return builder.node("Mul", builder.node("Mul", value, raised), half)

    def _mean(self, states: str, tokens: str) -> str:
        builder = self._builder
        counted = builder.node("Mul", states, builder.node("Unsqueeze", tokens, self._integers([2])))
        total = builder.node("ReduceSum", counted, self._integers([1]), keepdims=0)
        count = builder.node("ReduceSum", tokens, self._integers([1]), keepdims=1)
        return builder.node("Div", total, builder.node("Max", count, builder.constant(singles([1.0]))))

    def _integers(self, values: int | list[int]) -> str:
        return self._builder.constant(np.array(values, dtype=np.int64))
