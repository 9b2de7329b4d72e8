"""What the peers' servers have in common: a session, and plain instances to arrays and back, without a check."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime as ort

FEATURES = [f"feature_{place}" for place in range(30)]
LABELS = ["no", "yes"]

DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}


def session(path: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class Plain:
    """A model that is asked by rows; `outputs` are all that it has, in order."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.session = session(path)
        self.inputs = {node.name: DTYPES[node.type] for node in self.session.get_inputs()}
        self.outputs = [node.name for node in self.session.get_outputs()]
        self.encode: Callable[[list[Any]], list[Any]] = _classes if "label" in self.outputs else self._named

    def decode(self, instances: list[dict[str, Any]]) -> dict[str, Any]:
        if "numeric" in self.inputs:
            return {"numeric": np.array([[row[name] for name in FEATURES] for row in instances], np.float64)}
        return {name: np.array([row[name] for row in instances], dtype) for name, dtype in self.inputs.items()}

    def run(self, arrays: dict[str, Any]) -> list[Any]:
        return self.session.run(self.outputs, arrays)

    def predict(self, instances: list[dict[str, Any]]) -> list[Any]:
        return self.encode(self.run(self.decode(instances)))

    def infer(self, document: dict[str, Any]) -> dict[str, Any]:
        """The Open Inference Protocol, as far as it goes without a check; arrays stay for orjson to write."""
        arrays = {
            tensor["name"]: np.array(tensor["data"], self.inputs[tensor["name"]]).reshape(tensor["shape"])
            for tensor in document["inputs"]
        }
        outputs = zip(self.outputs, self.run(arrays), strict=True)
        return {"model_name": self.name, "outputs": [_tensor(name, array) for name, array in outputs]}

    def _named(self, arrays: list[Any]) -> list[Any]:
        return [dict(zip(self.outputs, row, strict=True)) for row in zip(*map(_lists, arrays), strict=True)]


def _tensor(name: str, array: Any) -> dict[str, Any]:
    datatype, data = ("BYTES", array.tolist()) if array.dtype == object else ("FP32", array.ravel())
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": data}


def _lists(array: Any) -> list[Any]:
    return array.tolist()


def _classes(arrays: list[Any]) -> list[Any]:
    return [
        {"label": label, "probabilities": dict(zip(LABELS, row, strict=True))}
        for label, row in zip(arrays[0].tolist(), arrays[1].tolist(), strict=True)
    ]
