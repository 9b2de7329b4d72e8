"""The floor: an ASGI handler around a session, without routes, checks, keys or logs: `server.py MODEL PATH PORT`.

Runs in the environment of `modelmill`. `/bytes` takes those of one float32 tensor.
"""

import sys
from typing import Any

import numpy as np
import orjson
import uvicorn
from plain import Plain

JSON = [(b"content-type", b"application/json")]
BYTES = [(b"content-type", b"application/octet-stream")]


def application(model: Plain) -> Any:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = await _body(receive)
        if scope["path"] == "/bytes":
            headers, answer = BYTES, _bytes(model, body)
        elif scope["path"] == "/infer":
            headers, answer = JSON, orjson.dumps(model.infer(orjson.loads(body)), option=orjson.OPT_SERIALIZE_NUMPY)
        else:
            headers, answer = JSON, orjson.dumps({"predictions": model.predict(orjson.loads(body)["instances"])})
        length = (b"content-length", b"%d" % len(answer))
        await send({"type": "http.response.start", "status": 200, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": answer})

    return app


async def _body(receive: Any) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _bytes(model: Plain, body: bytes) -> bytes:
    pictures = np.frombuffer(body, np.float32).reshape(-1, 28, 28, 1)
    return model.run({"image": pictures})[-1].tobytes()


if __name__ == "__main__":
    name, path, port = sys.argv[1:]
    uvicorn.run(application(Plain(name, path)), port=int(port), lifespan="off", log_level="critical", access_log=False)
