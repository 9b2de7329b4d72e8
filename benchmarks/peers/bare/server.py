"""The floor: a function around a session, without routes, checks, keys or logs: `server.py MODEL PATH PORT`.

Runs in the environment of `modelmill`, behind the same HTTP server. `/bytes` takes those of one float32 tensor.
"""

import sys

import numpy as np
import orjson
from plain import Plain
from thin import Answer, Handler, serve

JSON = {"content-type": "application/json"}
BYTES = {"content-type": "application/octet-stream"}


def handler(model: Plain) -> Handler:
    def answer(_method: str, path: str, _headers: dict[str, str], body: bytes) -> Answer:
        if path == "/bytes":
            return 200, BYTES, _bytes(model, body)
        if path == "/infer":
            return 200, JSON, orjson.dumps(model.infer(orjson.loads(body)), option=orjson.OPT_SERIALIZE_NUMPY)
        return 200, JSON, orjson.dumps({"predictions": model.predict(orjson.loads(body)["instances"])})

    return answer


def _bytes(model: Plain, body: bytes) -> bytes:
    pictures = np.frombuffer(body, np.float32).reshape(-1, 28, 28, 1)
    return bytes(model.run({"image": pictures})[-1].tobytes())


if __name__ == "__main__":
    name, path, port = sys.argv[1:]
    serve(handler(Plain(name, path)), int(port))
