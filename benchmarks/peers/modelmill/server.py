"""The thinnest HTTP server around the core of `infer`, everything on: `server.py BUNDLE_FOLDER PORT`.

Keys come from memory; requests are validated; each writes its log line, which is its metrics, to standard output.
"""

import sys
import time
from pathlib import Path

from thin import Answer, Handler, serve

from benchmarks.plane import SECONDS, inference
from modelmill.web.events import Request
from modelmill.web.inference import Inference


def handler(core: Inference) -> Handler:
    def answer(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        given = core(Request(method, path, headers, body, "bench"), time.monotonic() + SECONDS)
        return given.status, given.headers, given.body

    return answer


if __name__ == "__main__":
    folder, port = sys.argv[1:]
    serve(handler(inference(Path(folder), 1)), int(port))
