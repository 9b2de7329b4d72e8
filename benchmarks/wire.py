"""How a batch of a reference model is asked for and told, in each of the forms that servers speak."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.reference_models import MODELS, Reference, expected

type Scores = NDArray[np.float64]

HEADER_LENGTH = "inference-header-content-length"
JSON = {"content-type": "application/json"}
BINARY = {"content-type": "application/octet-stream"}
KINDS = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64}


class Message(NamedTuple):
    """A request or an answer; header names in lower case."""

    headers: dict[str, str]
    body: bytes


class Wire(NamedTuple):
    """`ask`: the request for so many rows. `told`: the probabilities or embeddings in an answer."""

    name: str
    path: str
    ask: Callable[[Reference, int], Message]
    told: Callable[[Message, Reference], Scores]


def check(wire: Wire, name: str, count: int, answer: Message) -> None:
    """Raises ValueError when an answer is not what `InferenceSession.run` gives."""
    model = MODELS[name]
    scores, right = wire.told(answer, model), expected(name, count)
    if scores.size != right.size or not np.allclose(scores.reshape(right.shape), right, rtol=1e-5, atol=1e-6):
        raise ValueError(f"{wire.name}: other scores than InferenceSession.run: {answer.body[:200]!r}")


def instances(path: str) -> Wire:
    """Rows as objects: the platform's own call, and the natural one of most peers."""
    return Wire("JSON", path, _ask_instances, _told_predictions)


def open_inference(path: str) -> Wire:
    """https://github.com/kserve/open-inference-protocol, flat JSON data."""
    return Wire("JSON v2", path, _ask_v2, _told_v2)


def binary(path: str) -> Wire:
    """The same with Triton's binary tensor data, both ways."""
    return Wire("binary v2", path, _ask_binary, _told_binary)


def mlflow(path: str) -> Wire:
    return Wire("JSON", path, _ask_mlflow, _told_mlflow)


def raw(path: str) -> Wire:
    """The bytes of the one input and of the one output, and nothing else."""
    return Wire("bytes", path, _ask_raw, _told_raw)


def _ask_instances(model: Reference, count: int) -> Message:
    return Message(JSON, orjson.dumps({"instances": model.instances(count)}))


def _told_predictions(answer: Message, model: Reference) -> Scores:
    predictions = orjson.loads(answer.body)["predictions"]
    last = model.outputs[-1]
    rows = [prediction[last] for prediction in predictions]
    if "label" in model.outputs:
        if [prediction["label"] for prediction in predictions] != [max(row, key=row.get) for row in rows]:
            raise ValueError("a label is not that of the highest probability")
        rows = [list(row.values()) for row in rows]
    return np.array(rows, np.float64)


def _ask_v2(model: Reference, count: int) -> Message:
    arrays = model.arrays(count)
    inputs = [
        {**_described(model, name, array), "data": array.astype(_kind(model, name)).ravel()}
        for name, array in arrays.items()
    ]
    return Message(JSON, orjson.dumps({"inputs": inputs}, option=orjson.OPT_SERIALIZE_NUMPY))


def _told_v2(answer: Message, model: Reference) -> Scores:
    outputs = {output["name"]: output for output in orjson.loads(answer.body)["outputs"]}
    if set(outputs) != set(model.outputs):
        raise ValueError(f"outputs are {sorted(outputs)}")
    return np.array(outputs[model.outputs[-1]]["data"], np.float64)


def _ask_binary(model: Reference, count: int) -> Message:
    inputs, parts = [], []
    for name, array in model.arrays(count).items():
        content = array.astype(_kind(model, name)).tobytes()
        inputs.append({**_described(model, name, array), "parameters": {"binary_data_size": len(content)}})
        parts.append(content)
    outputs = [{"name": name, "parameters": {"binary_data": True}} for name in model.outputs]
    header = orjson.dumps({"inputs": inputs, "outputs": outputs})
    return Message(BINARY | {HEADER_LENGTH: str(len(header))}, b"".join([header, *parts]))


def _told_binary(answer: Message, model: Reference) -> Scores:
    length = int(answer.headers[HEADER_LENGTH])
    outputs = orjson.loads(answer.body[:length])["outputs"]
    assert [output["name"] for output in outputs] == model.outputs
    size = outputs[-1]["parameters"]["binary_data_size"]
    return np.frombuffer(answer.body[-size:], KINDS[outputs[-1]["datatype"]]).astype(np.float64)


def _ask_mlflow(model: Reference, count: int) -> Message:
    rows = model.instances(count)
    if model.columns is not None:
        return Message(JSON, orjson.dumps({"inputs": {"numeric": [list(row.values()) for row in rows]}}))
    return Message(JSON, orjson.dumps({"inputs": {name: [row[name] for row in rows] for name in rows[0]}}))


def _told_mlflow(answer: Message, model: Reference) -> Scores:
    return np.array(orjson.loads(answer.body)["predictions"][model.outputs[-1]], np.float64)


def _ask_raw(model: Reference, count: int) -> Message:
    (array,) = model.arrays(count).values()
    return Message(BINARY, array.tobytes())


def _told_raw(answer: Message, _model: Reference) -> Scores:
    return np.frombuffer(answer.body, np.float32).astype(np.float64)


def _described(model: Reference, name: str, array: NDArray[Any]) -> dict[str, Any]:
    return {"name": name, "shape": list(array.shape), "datatype": _tensor(model, name)}


def _tensor(model: Reference, name: str) -> str:
    return next(tensor.datatype for tensor in model.signature.inputs if tensor.name == name)


def _kind(model: Reference, name: str) -> type[np.generic]:
    return KINDS[_tensor(model, name)]
