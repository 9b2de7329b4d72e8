"""Weights stored in fewer bytes, and brought back to float32 by nodes that onnxruntime works out once, when it loads.

Runs take as long as those of the float graph and give the same on every machine and in every batch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from modelmill_training.onnx_graph import FLOAT, GraphBuilder

# Smaller tensors are not worth two nodes.
MIN_VALUES = 1024
LARGEST_BYTE = 127
# Values that share a scale, which takes four bytes.
BLOCK = 64


def as_float16(model: onnx.ModelProto) -> int:
    """Store the model's float32 constants as float16; how many. Those with a value beyond its range stay."""
    return _replace(model, _halved)


def as_int8(model: onnx.ModelProto) -> int:
    """Store the model's float32 constants as int8, each block of values with a scale of its own; how many."""
    return _replace(model, _in_blocks)


def _replace(model: onnx.ModelProto, store: Callable[[GraphBuilder, str, NDArray[Any]], bool]) -> int:
    """Where `store` appends nodes that give a constant under its name, it goes."""
    graph, builder = model.graph, GraphBuilder("weights/")
    large = [tensor for tensor in graph.initializer if _is_large(tensor)]
    stored = [tensor for tensor in large if store(builder, tensor.name, numpy_helper.to_array(tensor))]
    for tensor in stored:
        graph.initializer.remove(tensor)
    for node in list(graph.node):
        builder.append(node)
    builder.rewrite(graph)
    return len(stored)


def _is_large(tensor: onnx.TensorProto) -> bool:
    return tensor.data_type == FLOAT and int(np.prod(tensor.dims)) >= MIN_VALUES


def _halved(builder: GraphBuilder, name: str, values: NDArray[Any]) -> bool:
    if np.abs(values).max() > np.finfo(np.float16).max:
        return False
    builder.node("Cast", builder.constant(values.astype(np.float16)), output=name, to=FLOAT)
    return True


def _in_blocks(builder: GraphBuilder, name: str, values: NDArray[Any]) -> bool:
    blocks = np.pad(values.ravel(), (0, -values.size % BLOCK)).reshape(-1, BLOCK)
    scale = scales(blocks, 1)
    # DequantizeLinear says the same, but onnxruntime would compute it anew in each run.
    stored = builder.cast(builder.constant(np.round(blocks / scale).astype(np.int8)), FLOAT)
    restored = builder.node("Mul", stored, builder.constant(scale))
    if blocks.size > values.size:
        flat = builder.node("Reshape", restored, builder.constant(np.array([-1])))
        ends = [builder.constant(np.array([end])) for end in (0, values.size)]
        restored = builder.node("Slice", flat, *ends)
    builder.node("Reshape", restored, builder.constant(np.array(values.shape)), output=name)
    return True


def scales(values: NDArray[Any], axis: int) -> NDArray[np.float32]:
    """What the largest byte stands for in each line along the axis, which is kept with a length of 1."""
    largest = np.abs(values).max(axis=axis, keepdims=True)
    return np.where(largest > 0, largest / LARGEST_BYTE, 1).astype(np.float32)
