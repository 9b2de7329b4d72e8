"""One answer of a Lambda handler in a fresh interpreter, whose path the one who starts it has set.

The result is written as JSON to the file descriptor; then the process ends at once. A module `app` is a deployed
function, whose handler is there after its import; others make one for a model.
"""

import importlib
import json
import os
from pathlib import Path
from types import SimpleNamespace

CONTEXT = SimpleNamespace(
    function_name="infer",
    function_version="$LATEST",
    memory_limit_in_mb=1769,
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:infer",
    aws_request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd",
)


def main(module: str, model: str, path: str, event_file: str, descriptor: str) -> None:
    found = importlib.import_module(module)
    handler = found.handler if module == "app" else found.make(model, path)
    event = json.loads(Path(event_file).read_text())
    os.write(int(descriptor), json.dumps(handler(event, CONTEXT)).encode())
    os._exit(0)
