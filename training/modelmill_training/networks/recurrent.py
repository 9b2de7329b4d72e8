"""Keras's recurrent layers as ONNX's own, which is many times faster than a loop of their parts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill_training.onnx_graph import GraphBuilder, singles


def write_layer(builder: GraphBuilder, layer: Any, value: str, counted: str = "") -> tuple[str, str]:
    """Of [length, N, width]: the outputs [length, N, units], and the last ones [N, units], directions side by side.

    counted: [N] int32, how many steps of each sequence count; "" where all do.
    """
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
