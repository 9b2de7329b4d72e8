"""The least that a Lambda handler around a session can do: no key, no check, no log."""

import base64
from typing import Any

import numpy as np
import orjson
from plain import Plain

HEADER_LENGTH = "inference-header-content-length"
KINDS = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64}


def make(name: str, path: str) -> Any:
    model = Plain(name, path)

    def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
        if event["isBase64Encoded"]:
            return _binary(model, event)
        document = orjson.loads(event["body"])
        answer = (
            model.infer(document) if "inputs" in document else {"predictions": model.predict(document["instances"])}
        )
        body = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY).decode()
        return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": body}

    return handler


def _binary(model: Plain, event: dict[str, Any]) -> dict[str, Any]:
    content = base64.b64decode(event["body"])
    place = int(event["headers"][HEADER_LENGTH])
    arrays = {}
    for tensor in orjson.loads(content[:place])["inputs"]:
        size = tensor["parameters"]["binary_data_size"]
        array = np.frombuffer(content[place : place + size], KINDS[tensor["datatype"]])
        arrays[tensor["name"]] = array.reshape(tensor["shape"])
        place += size
    return _binary_result(model, model.run(arrays))


def _binary_result(model: Plain, arrays: list[Any]) -> dict[str, Any]:
    outputs, parts = [], []
    for name, array in zip(model.outputs, arrays, strict=True):
        part = _texts(array) if array.dtype == object else array.tobytes()
        outputs.append(
            {
                "name": name,
                "datatype": "BYTES" if array.dtype == object else "FP32",
                "shape": list(array.shape),
                "parameters": {"binary_data_size": len(part)},
            }
        )
        parts.append(part)
    header = orjson.dumps({"model_name": model.name, "outputs": outputs})
    headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(len(header))}
    body = base64.b64encode(b"".join([header, *parts])).decode()
    return {"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": True}


def _texts(array: Any) -> bytes:
    parts = [text.encode() for text in array.tolist()]
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)
