"""Keras networks as ONNX."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from modelmill_training.data import Floats
from modelmill_training.onnx_graph import OPSET

PREDICTION_BATCH = 4096


def to_onnx(net: Any) -> onnx.ModelProto:
    """The graph of a net of one input and one output, which has been called before."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        net.export(path, format="onnx", opset_version=OPSET, verbose=False)
        exported: onnx.ModelProto = onnx.ModelProto.FromString(path.read_bytes())
    return exported


def predict(net: Any, inputs: NDArray[Any], batch: int = PREDICTION_BATCH) -> Floats:
    """What the net gives for [N, ...] inputs, a batch at a time."""
    parts = [
        np.asarray(net(inputs[start : start + batch], training=False), dtype=np.float64)
        for start in range(0, len(inputs), batch)
    ]
    return np.concatenate(parts)
