"""From the start of a process to its first answer: `python -m benchmarks.cold_start`.

Lambda handlers: a fresh interpreter sees only what its package would hold, compiled ahead; `infer` is what `sam build`
makes of it, with the model on the local disk, and once more with the key, the alias and the model fetched from the
local cloud. Servers: until the first 200, polled every 2 ms. Handlers take turns; files are in the page cache, since
everybody's first start is thrown away. Every answer is checked.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import wire
from benchmarks.built import packages, paths
from benchmarks.environments import CACHE, PEERS, ROOT, NotInstalled, pinned
from benchmarks.events import answer_of, gateway_event
from benchmarks.load import Failed
from benchmarks.local_cloud import registered
from benchmarks.reference_models import MODELS
from benchmarks.servers import KEY, SERVERS, Server, bundle, running
from benchmarks.tables import machine, number, table
from benchmarks.wire import Message

MODELS_STARTED = ["forest", "minilm"]
OURS = "/v1/models/{model}/predict"
# Lambda's own packages come with the interpreter's standard library; -S keeps everything else out.
PYTHON = [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-c"]
LAUNCH = "import json, sys; sys.path[:0] = json.loads(sys.argv[1]); from cold import main; main(*sys.argv[2:])"
IN_LAMBDA = {
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "LAMBDA_TASK_ROOT": str(CACHE),
    "_X_AMZN_TRACE_ID": "Root=1-6923b4cb-4f1a2b3c4d5e6f7081920a1b;Parent=53995c3f42cd8ad8;Sampled=0",
}

type Times = dict[str, dict[str, list[float]]]


class Starter(NamedTuple):
    """A handler to start: what its interpreter sees, and the variables beside Lambda's own."""

    title: str
    path: list[Path]
    called: str = "/predict"
    module: str = "handler"
    variables: tuple[tuple[str, str], ...] = ()

    def model_path(self, model: str) -> Path:
        return bundle(model) if self.called == OURS else MODELS[model].path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="starts of each handler and of each server")
    parser.add_argument("--seconds", type=float, default=40, help="time for each server, which ends its runs early")
    parser.add_argument("--no-servers", action="store_true")
    options = parser.parse_args()
    print(f"{machine()}\n", flush=True)
    with registered(MODELS_STARTED) as cloud:
        print(lines("handler", handlers(list(starters(cloud)), options.runs)), flush=True)
    if not options.no_servers:
        print(f"\n{lines('server', servers(options.runs, options.seconds))}", flush=True)


def starters(cloud: dict[str, str]) -> Iterator[Starter]:
    """Who is started; a peer that cannot be installed is told and left out."""
    here = [PEERS / "modelmill", ROOT]
    in_cloud = tuple(cloud.items())
    yield Starter("infer, model on disk", [*paths(), *here], OURS)
    yield Starter("infer, key, alias and model from the local cloud", paths(), OURS, "app", in_cloud)
    for title, folder, environment in (
        ("bare handler", "bare", "modelmill"),
        (f"Powertools {pinned('powertools')}", "powertools", "powertools"),
        (f"FastAPI {pinned('fastapi')} through Mangum", "fastapi", "fastapi"),
    ):
        try:
            yield Starter(title, [PEERS / folder, packages(environment)])
        except NotInstalled as error:
            print(f"{title} is left out, since it cannot be installed: {error}", flush=True)


def handlers(started: list[Starter], runs: int) -> Times:
    times: Times = defaultdict(lambda: defaultdict(list))
    for model in MODELS_STARTED:
        for turn in range(runs + 1):
            for starter in started:
                seconds = start(starter, model)
                if turn:
                    times[starter.title][model].append(seconds)
    return times


def start(starter: Starter, model: str) -> float:
    """Seconds from the start of the process to its checked answer."""
    form = wire.instances(starter.called)
    asked = form.ask(MODELS[model], 1)
    message = Message(asked.headers | dict(KEY), asked.body)
    name = model if starter.module == "app" else "m"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(gateway_event(starter.called.format(model=name), message), file)
        file.flush()
        seconds, result = first_result(starter, model, file.name)
    wire.check(form, model, 1, answer_of(result))
    return seconds


def first_result(starter: Starter, model: str, event: str) -> tuple[float, dict[str, object]]:
    variables = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"} | IN_LAMBDA | dict(starter.variables)
    path = json.dumps([str(path) for path in (*starter.path, PEERS / "shared")])
    with pipe() as (reading, writing):
        given = [starter.module, model, str(starter.model_path(model)), event, str(writing)]
        command = [*PYTHON, LAUNCH, path, *given]
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[writing]
        )
        os.close(writing)
        with open(reading, "rb", closefd=False) as file:
            first = file.read(1)
            seconds = time.perf_counter() - started
            rest = file.read()
        _, errors = process.communicate()
    if not first:
        raise SystemExit(f"{starter.title} failed: {errors.decode()[-3000:]}")
    return seconds, json.loads(first + rest)


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        os.close(reading)


def servers(runs: int, seconds: float) -> Times:
    times: Times = defaultdict(lambda: defaultdict(list))
    for server in SERVERS:
        try:
            times[server.title()]["forest"] = server_starts(server, runs, seconds)
        except (NotInstalled, Failed) as error:
            print(f"{server.name} is left out: {error}", flush=True)
    return times


def server_starts(server: Server, runs: int, seconds: float) -> list[float]:
    """At least three, not counting the first."""
    server.python()
    found: list[float] = []
    until = time.perf_counter() + seconds
    while len(found) < 4 or (len(found) <= runs and time.perf_counter() < until):
        with running(server, "forest") as (_, started):
            found.append(started)
    return found[1:]


def lines(what: str, times: Times) -> str:
    """Median and least milliseconds, and of how many."""
    models = list(dict.fromkeys(model for found in times.values() for model in found))
    rows = [[title, *(_cell(found.get(model)) for model in models)] for title, found in times.items()]
    return table([f"{what}, ms: median (least) of starts", *models], rows)


def _cell(found: list[float] | None) -> str:
    if not found:
        return ""
    return f"{number(statistics.median(found) * 1e3)} ({number(min(found) * 1e3)}) of {len(found)}"


if __name__ == "__main__":
    main()
