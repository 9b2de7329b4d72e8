"""What the data plane adds to `InferenceSession.run`, in one process and one run: `python -m benchmarks.infer`.

The timed path goes from the gateway's event to the function's result; nothing leaves the process.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import orjson
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

from modelmill.serving.load import LoadedModel
from modelmill.serving.serve import Wanted
from tests.bundles import write_bundle
from tests.inference_setup import Plane, predict_event

LABELS = ["no", "yes"]
NUMBERS = [(f"feature_{place}", "number") for place in range(30)]
MIXED = [(f"number_{place}", "number") for place in range(8)] + [
    ("region", "category"),
    ("plan", "category"),
    ("device", "category"),
    ("member", "boolean"),
    ("joined", "timestamp"),
]


def forest() -> bytes:
    """100 trees of depth 10 over 30 doubles."""
    random = np.random.default_rng(0)
    x = random.normal(size=(4000, len(NUMBERS))).astype(np.float32)
    y = np.array(LABELS)[(x[:, 0] * x[:, 1] + random.normal(size=4000) > 0).astype(int)]
    fitted = RandomForestClassifier(100, max_depth=10, random_state=0).fit(x, y)
    model = to_onnx(fitted, x[:1], options={"zipmap": False}, target_opset={"": 18, "ai.onnx.ml": 3})
    graph = model.graph
    graph.node.insert(0, helper.make_node("Cast", ["numeric"], [graph.input[0].name], to=TensorProto.FLOAT))
    for node in graph.node:
        node.output[:] = ["label" if name == graph.output[0].name else name for name in node.output]
    graph.output[0].name = "label"
    graph.input[0].CopyFrom(helper.make_tensor_value_info("numeric", TensorProto.DOUBLE, ["N", len(NUMBERS)]))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def instances(columns: list[tuple[str, str]], count: int) -> list[dict[str, Any]]:
    """Rows as a client sends them."""
    random = np.random.default_rng(1)
    made = {
        "number": lambda: round(float(random.normal()), 6),
        "category": lambda: "ab"[int(random.integers(2))],
        "boolean": lambda: bool(random.integers(2)),
        "timestamp": lambda: f"2026-{random.integers(1, 13):02}-11T08:15:00Z",
    }
    return [{name: made[kind]() for name, kind in columns} for _ in range(count)]


def bare(model: LoadedModel, names: list[str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The least that a handler for numbers can do: no key, no checks, no log."""
    session = model.session

    def handler(event: dict[str, Any]) -> dict[str, Any]:
        rows = orjson.loads(event["body"])["instances"]
        numbers = np.array([[row[name] for name in names] for row in rows], dtype=np.float64)
        label, probabilities = session.run(["label", "probabilities"], {"numeric": numbers})
        answers = [
            {"label": chosen, "probabilities": dict(zip(LABELS, row, strict=True))}
            for chosen, row in zip(label.tolist(), probabilities.tolist(), strict=True)
        ]
        return {"statusCode": 200, "body": orjson.dumps({"predictions": answers}).decode()}

    return handler


def microseconds(call: Callable[[], object], budget: float) -> float:
    """The best of several rounds, per call."""
    call()
    rounds, best = 0, float("inf")
    until = time.perf_counter() + budget
    while time.perf_counter() < until or rounds < 3:
        started = time.perf_counter()
        for _ in range(20):
            call()
        best = min(best, (time.perf_counter() - started) / 20)
        rounds += 1
    return best * 1e6


def measure(name: str, columns: list[tuple[str, str]], model: bytes | None, batch: int, budget: float) -> list[str]:
    """One line of the table."""
    plane = Plane()
    with TemporaryDirectory() as folder:
        write_bundle(Path(folder) / "b", columns, LABELS, model=model)
        plane.store.put("acme", "m", 1, Path(folder) / "b")
    event = predict_event({"instances": instances(columns, batch)})
    plane.clock.now = time.time()
    if plane.send(event)["statusCode"] != 200:
        raise SystemExit(f"{name}: {plane.send(event)['body']}")
    loaded = plane.server.find(Wanted("acme", "m", None, "live", "")).model
    tensors = loaded.decode(orjson.loads(event["body"])["instances"])
    run = microseconds(lambda: loaded.session.run(loaded.encode.outputs, tensors), budget)
    full = microseconds(lambda: plane.send(event), budget)
    cells = [name, str(batch), f"{run:.1f}", "", f"{full:.1f}", f"{full - run:.1f}", f"{full / run:.2f}"]
    if all(kind == "number" for _, kind in columns):
        handler = bare(loaded, [column for column, _ in columns])
        cells[3] = f"{microseconds(lambda: handler(event), budget):.1f}"
    return cells


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each figure")
    budget = parser.parse_args().seconds
    trees = forest()
    header = ["model", "batch", "run µs", "bare µs", "infer µs", "infer - run", "infer / run"]
    rows = [header]
    for batch in (1, 32, 1000):
        rows.append(measure("forest, 30 numbers", NUMBERS, trees, batch, budget))
        rows.append(measure("linear, 13 mixed columns", MIXED, None, batch, budget))
    widths = [max(len(row[place]) for row in rows) for place in range(len(header))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    main()
