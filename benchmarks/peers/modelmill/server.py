"""The thinnest HTTP server around the core of `infer`, everything on: `server.py BUNDLE_FOLDER PORT`.

Keys come from memory; requests are validated; each writes its log line, which is its metrics, to standard output.
"""

import sys
import time
from pathlib import Path
from typing import Any

import uvicorn

from benchmarks.plane import SECONDS, inference
from modelmill.web.events import Request
from modelmill.web.inference import Inference


def application(core: Inference) -> Any:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        parts, more = [], True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        answer = core(
            Request(scope["method"], scope["path"], headers, b"".join(parts), "bench"), time.monotonic() + SECONDS
        )
        given = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        given.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": given})
        await send({"type": "http.response.body", "body": answer.body})

    return app


if __name__ == "__main__":
    folder, port = sys.argv[1:]
    uvicorn.run(
        application(inference(Path(folder), 1)), port=int(port), lifespan="off", log_level="critical", access_log=False
    )
