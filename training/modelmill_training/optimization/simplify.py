"""What exporters leave that no run needs: what could be worked out beforehand, such as the shapes of constants."""

import tempfile
from pathlib import Path

import onnx
import onnxruntime as ort

# Graphs of fewer nodes are written by hand here and have nothing of it.
MIN_NODES = 50


def serialized(model: onnx.ModelProto) -> bytes:
    """A checked model as bytes, simplified where that makes it smaller.

    Raises:
        onnx.checker.ValidationError: it is no valid model.
    """
    onnx.checker.check_model(model)
    content = bytes(model.SerializeToString())
    if len(model.graph.node) < MIN_NODES:
        return content
    simple = onnx.ModelProto()
    simple.CopyFrom(model)
    simple.graph.CopyFrom(_simplified(content))
    onnx.checker.check_model(simple)
    return min(content, bytes(simple.SerializeToString()), key=len)


def _simplified(content: bytes) -> onnx.GraphProto:
    """At the basic level, which takes nothing but standard operators to others of them, the same on every machine."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simple.onnx"
        options.optimized_model_filepath = str(path)
        ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        simple: onnx.ModelProto = onnx.ModelProto.FromString(path.read_bytes())
    return simple.graph
