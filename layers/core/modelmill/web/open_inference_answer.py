"""The answer of an infer call: JSON, and behind it the bytes of outputs that are wanted so."""

from typing import Any

import numpy as np
import orjson

from modelmill.errors import InvalidRequest, TooLarge
from modelmill.serving.encode import MAX_ANSWER_BYTES, answer_bytes
from modelmill.serving.tensor_plan import TensorOutput, TensorPlan
from modelmill.serving.tensors import CODECS, Array
from modelmill.web.events import Answer
from modelmill.web.open_inference_body import InferBody

# A body of bytes is base64 inside Lambda's JSON answer.
MAX_BINARY_BYTES = MAX_ANSWER_BYTES // 4 * 3
# So many elements fit, however long they are written; beyond, their length is estimated from a sample.
SURELY_FIT = 100_000
SAMPLE = 1_000

_TEXT = CODECS["BYTES"]


def write_answer(asked: InferBody, arrays: list[Array], plan: TensorPlan, model: str, version: int) -> Answer:
    """The outputs in the order in which they were asked for.

    Raises:
        InvalidRequest: an output cannot be classified.
        TooLarge: the answer would not fit; says how large a batch would.
    """
    outputs = [_classified(output, array, plan) for output, array in zip(asked.outputs, arrays, strict=True)]
    if sum(array.size for _, array in outputs) > SURELY_FIT or any(array.dtype == object for _, array in outputs):
        _check_size(outputs, asked.batch)
    described: list[dict[str, Any]] = []
    parts: list[Any] = []
    for output, array in outputs:
        tensor: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": array.shape}
        if output.binary:
            part = output.codec.to_bytes(array)
            parts.append(part)
            tensor["parameters"] = {"binary_data_size": len(part) if type(part) is bytes else part.nbytes}
        else:
            tensor["data"] = output.codec.to_json(array)
        described.append(tensor)
    document: dict[str, Any] = {"model_name": model, "model_version": str(version), "outputs": described}
    if asked.id is not None:
        document["id"] = asked.id
    text = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    return _with_parts(text, parts, asked.batch) if parts else _plain(text, asked.batch)


def _plain(text: bytes, batch: int) -> Answer:
    if len(text) > MAX_ANSWER_BYTES // 2 and (size := answer_bytes(text)) > MAX_ANSWER_BYTES:
        raise _too_large(batch, size / MAX_ANSWER_BYTES)
    return Answer(200, {"content-type": "application/json"}, text)


def _with_parts(text: bytes, parts: list[Any], batch: int) -> Answer:
    body = b"".join([text, *parts])
    if len(body) > MAX_BINARY_BYTES:
        raise _too_large(batch, len(body) / MAX_BINARY_BYTES)
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(text))}
    return Answer(200, headers, body, binary=True)


def _check_size(outputs: list[tuple[TensorOutput, Array]], batch: int) -> None:
    """Refuse what will not fit before it is written; what gets past is measured once it is."""
    size = sum(_size(output, array) for output, array in outputs)
    limit = MAX_BINARY_BYTES if any(output.binary for output, _ in outputs) else MAX_ANSWER_BYTES
    if size > limit:
        raise _too_large(batch, size / limit)


def _size(output: TensorOutput, array: Array) -> float:
    if output.datatype == "BYTES":
        return sum(map(len, array.ravel().tolist()))
    if output.binary:
        return array.nbytes
    values = array.ravel()
    sample = values[:: max(1, values.size // SAMPLE)]
    write = output.codec.to_bytes if output.binary else _as_json
    return len(write(np.ascontiguousarray(sample))) / max(1, sample.size) * values.size


def _as_json(array: Array) -> bytes:
    return orjson.dumps(array if array.dtype != object else array.tolist(), option=orjson.OPT_SERIALIZE_NUMPY)


def _too_large(batch: int, times: float) -> TooLarge:
    fits = int(batch / times * 0.98)
    if fits:
        return TooLarge(f"the answer to a batch of {batch} would be too large; send at most {fits} at once")
    return TooLarge("the answer would be too large; ask for fewer 'outputs', or for them as binary data")


def _classified(output: TensorOutput, array: Array, plan: TensorPlan) -> tuple[TensorOutput, Array]:
    """The output itself, or its `classes` highest values as texts `value:place[:label]`, one row for each row."""
    if not output.classes:
        return output, array
    if not array.ndim or not array.size:
        raise InvalidRequest(f"output {output.name!r} of shape {list(array.shape)} has nothing to classify")
    rows = array.reshape(len(array) if array.ndim > 1 else 1, -1)
    order = np.argsort(-rows.astype(np.float64), axis=1, kind="stable")[:, : output.classes]
    labels = plan.labels if output.name == plan.class_output and len(plan.labels or ()) == rows.shape[1] else None
    texts = [
        [_class(row[place], place, labels) for place in places]
        for row, places in zip(rows, order.tolist(), strict=True)
    ]
    chosen = np.array(texts, object)
    return output._replace(datatype="BYTES", codec=_TEXT), chosen if array.ndim > 1 else chosen[0]


def _class(value: Any, place: int, labels: list[str] | None) -> str:
    return f"{value}:{place}:{labels[place]}" if labels else f"{value}:{place}"
