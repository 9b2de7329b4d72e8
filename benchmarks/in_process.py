"""What the data plane adds to `InferenceSession.run`: `python -m benchmarks.in_process`.

Each line is measured in fresh processes, one for the platform, one for the bare handler and one for each peer: one
ONNX Runtime thread, nothing leaves the process. The timed path goes from the gateway's event to the function's result;
`runtime` has Lambda's own reading and writing of their JSON on top. Every answer is checked against `run` first.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks import wire
from benchmarks.environments import CACHE, PEERS, ROOT, NotInstalled, pinned, python_of
from benchmarks.events import answer_of, gateway_event
from benchmarks.reference_models import MODELS
from benchmarks.servers import KEY, bundle
from benchmarks.tables import machine, number, table
from benchmarks.wire import Message, Wire

OURS = "/v1/models/m/predict"
V2 = "/v2/models/m/infer"
FORMS: dict[str, Wire] = {
    "JSON /v1": wire.instances(OURS),
    "JSON /v2": wire.open_inference(V2),
    "binary /v2": wire.binary(V2),
}
CASES = [
    *(("forest", batch, form) for batch in (1, 32) for form in FORMS),
    *(("cnn", batch, form) for batch in (1, 32) for form in FORMS),
    *(("minilm", 1, form) for form in FORMS),
    ("mixed", 1, "JSON /v1"),
    ("mixed", 32, "JSON /v1"),
]
PEER_CASES = [("forest", 1), ("forest", 32), ("cnn", 32), ("minilm", 1)]
HEADER = ["model", "batch", "form", "run µs", "bare µs", "infer µs", "bare − run", "infer − run", "ratio", "runtime µs"]
# The scatter of longer runs is larger than what handlers add: then the time outside of the run is what they add.
LONG_RUN = 3000.0


class Contestant(NamedTuple):
    """A handler: its folder under `peers`, its environment, the path that it listens to."""

    title: str
    folder: str
    environment: str
    path: str | None = None


BARE = Contestant("bare", "bare", "modelmill")
INFER = Contestant("modelmill", "modelmill", "modelmill")
PEERS_IN_PROCESS = [
    Contestant(
        f"Powertools {pinned('powertools')}",
        "powertools",
        "powertools",
        "/predict",
    ),
    Contestant(f"FastAPI {pinned('fastapi')} through Mangum", "fastapi", "fastapi", "/predict"),
]


class Figures(NamedTuple):
    """Microseconds a call; see `peers/shared/in_process.py`."""

    run: float
    handler: float
    outside: float
    runtime: float

    def added(self, run: float) -> float:
        """What the handler adds to `run`."""
        return self.outside if run > LONG_RUN else self.handler - run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each figure")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    print(f"{machine()}\n", flush=True)
    models = options.models.split(",")
    lines = [line(*case, options.seconds) for case in CASES if case[0] in models]
    print(table(HEADER, lines), flush=True)
    if not options.no_peers:
        cases = [case for case in PEER_CASES if case[0] in models]
        print(f"\n{peers(cases, options.seconds)}", flush=True)


def line(model: str, batch: int, form: str, seconds: float) -> list[str]:
    """One line of the first table; no bare handler reads columns of texts and times."""
    ours = measure(INFER, model, batch, FORMS[form], seconds)
    if model == "mixed":
        added = number(ours.added(ours.run))
        return [
            model,
            str(batch),
            form,
            number(ours.run),
            "",
            number(ours.handler),
            "",
            added,
            "",
            number(ours.runtime),
        ]
    bare = measure(BARE, model, batch, FORMS[form], seconds)
    run = min(ours.run, bare.run)
    figures = (run, bare.handler, ours.handler, bare.added(run), ours.added(run))
    ratio = f"{ours.added(run) / bare.added(run):.2f}"
    return [model, str(batch), form, *map(number, figures), ratio, number(ours.runtime)]


def peers(cases: list[tuple[str, int]], seconds: float) -> str:
    """What everybody adds to `run`, and how many times ours it is."""
    ours = added(INFER, cases, seconds)
    rows = [["modelmill", *map(number, ours)]]
    for contestant in PEERS_IN_PROCESS:
        try:
            theirs = added(contestant, cases, seconds)
        except NotInstalled as error:
            print(f"{contestant.title} is left out, since it cannot be installed: {error}")
            continue
        rows.append([contestant.title, *(f"{number(x)} ({x / our:.1f})" for x, our in zip(theirs, ours, strict=True))])
    return table(["x − run, µs", *(f"{model}, batch {batch}" for model, batch in cases)], rows)


def added(contestant: Contestant, cases: list[tuple[str, int]], seconds: float) -> list[float]:
    found = [measure(contestant, model, batch, FORMS["JSON /v1"], seconds) for model, batch in cases]
    return [figures.added(figures.run) for figures in found]


def measure(contestant: Contestant, model: str, batch: int, form: Wire, seconds: float) -> Figures:
    """In a process of its own, after a check of its answer.

    Raises:
        NotInstalled, ValueError
    """
    asked = form.ask(MODELS[model], batch)
    message = Message(asked.headers | dict(KEY), asked.body)
    with tempfile.TemporaryDirectory() as name:
        spec, out = Path(name, "spec.json"), Path(name, "out.json")
        described = {
            "model": model,
            "model_path": str(MODELS[model].path),
            "path": str(bundle(model) if contestant is INFER else MODELS[model].path),
            "event": gateway_event(contestant.path or form.path, message),
            "arrays": {key: [str(array.dtype), array.tolist()] for key, array in MODELS[model].arrays(batch).items()},
            "outputs": MODELS[model].outputs,
            "seconds": seconds,
            "out": str(out),
        }
        spec.write_text(json.dumps(described))
        run(contestant, spec)
        found = json.loads(out.read_text())
    wire.check(form, model, batch, answer_of(found["result"]))
    return Figures(**found["figures"])


def run(contestant: Contestant, spec: Path) -> None:
    paths = [PEERS / contestant.folder, PEERS / "shared", ROOT / "layers" / "core", ROOT]
    variables = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": ":".join(map(str, paths)),
        "OMP_NUM_THREADS": "1",
        # As in Lambda, so that Powertools' Tracer is on; the trace is one of those that are not sampled.
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "LAMBDA_TASK_ROOT": str(CACHE),
        "_X_AMZN_TRACE_ID": "Root=1-6923b4cb-4f1a2b3c4d5e6f7081920a1b;Parent=53995c3f42cd8ad8;Sampled=0",
    }
    command = [python_of(contestant.environment), PEERS / "shared" / "in_process.py", spec]
    done = subprocess.run(
        command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        raise ValueError(f"{contestant.title} failed")


if __name__ == "__main__":
    main()
