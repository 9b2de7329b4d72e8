"""The exported graph in ONNX Runtime, as serving runs it: one thread, measured."""

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

MAX_REPEATS = 100
MAX_SECONDS = 0.2

Inputs = dict[str, Any]


def open_session(model: bytes) -> Any:
    """A session of one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def predict(session: Any, inputs: Inputs, chunk: int = 1000) -> dict[str, NDArray[Any]]:
    """All outputs by name; in chunks, so that memory does not grow with the rows."""
    names = [output.name for output in session.get_outputs()]
    rows = len(next(iter(inputs.values())))
    parts = [
        session.run(names, {name: array[start : start + chunk] for name, array in inputs.items()})
        for start in range(0, rows, chunk)
    ]
    return {name: np.concatenate([part[place] for part in parts]) for place, name in enumerate(names)}


def latency_us(session: Any, inputs: Inputs, rows: int = 1) -> float:
    """Median microseconds of a run of the first rows."""
    feed = {name: array[:rows] for name, array in inputs.items()}
    return round(_median_seconds(lambda: session.run(None, feed)) * 1e6, 1)


def load_ms(model: bytes) -> float:
    """Median milliseconds until there is a session."""
    return round(_median_seconds(lambda: open_session(model)) * 1e3, 2)


def _median_seconds(run: Callable[[], Any]) -> float:
    times: list[float] = []
    end = time.perf_counter() + MAX_SECONDS
    while len(times) < 3 or (len(times) < MAX_REPEATS and time.perf_counter() < end):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def resident_bytes() -> int:
    """Memory of this process that is in RAM (Linux)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
