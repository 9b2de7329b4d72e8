"""Time a Lambda handler in this process: `in_process.py SPEC`, a JSON file that also says where the figures go.

All are microseconds a call, the best of several rounds:

run      InferenceSession.run alone
handler  from event to result
outside  the same without what it spends in InferenceSession.run
runtime  from the event's text to the result's, as Lambda's runtime reads and writes them
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller
from plain import session

ROUND_SECONDS = 0.01
CONTEXT = SimpleNamespace(
    function_name="infer",
    function_version="$LATEST",
    memory_limit_in_mb=1769,
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:infer",
    aws_request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd",
    get_remaining_time_in_millis=lambda: 25_000,
)


class Inside:
    """Counts the seconds spent in InferenceSession.run while it is on."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._run = ort.InferenceSession.run

    def __enter__(self) -> "Inside":
        run = self._run

        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return run(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - started

        ort.InferenceSession.run = timed
        return self

    def __exit__(self, *_: object) -> None:
        ort.InferenceSession.run = self._run


def measure(call: Callable[[], object], seconds: float) -> tuple[float, float]:
    """All and outside of InferenceSession.run."""
    with Inside() as inside:
        call()
        started = time.perf_counter()
        call()
        calls = max(1, int(ROUND_SECONDS / (time.perf_counter() - started)))
        best = outside = float("inf")
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            inside.seconds, started = 0.0, time.perf_counter()
            for _ in range(calls):
                call()
            spent = time.perf_counter() - started
            best, outside = min(best, spent / calls), min(outside, (spent - inside.seconds) / calls)
    return best * 1e6, outside * 1e6


def main(spec: dict[str, Any]) -> None:
    event, text = spec["event"], json.dumps(spec["event"]).encode()
    arrays = {name: np.array(data, dtype) for name, (dtype, data) in spec["arrays"].items()}
    alone, outputs = session(spec["model_path"]), spec["outputs"]
    handler = importlib.import_module("handler").make(spec["model"], spec["path"])
    result = handler(event, CONTEXT)
    marshaller = LambdaMarshaller()

    def through_runtime() -> object:
        return marshaller.marshal_response(handler(marshaller.unmarshal_request(text), CONTEXT))

    run, _ = measure(lambda: alone.run(outputs, arrays), spec["seconds"])
    whole, outside = measure(lambda: handler(event, CONTEXT), spec["seconds"])
    runtime, _ = measure(through_runtime, spec["seconds"])
    figures = {"run": run, "handler": whole, "outside": outside, "runtime": runtime}
    Path(spec["out"]).write_text(json.dumps({"figures": figures, "result": result}))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
