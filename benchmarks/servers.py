"""The HTTP servers that are compared, each in its own environment and process, on one core."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from benchmarks import wire
from benchmarks.environments import CACHE, PEERS, ROOT, pinned, python_of
from benchmarks.load import Connection, Failed
from benchmarks.plane import SECRET
from benchmarks.reference_models import MODELS
from benchmarks.wire import Message, Wire

START_SECONDS = 120.0
STOP_SECONDS = 10.0
SERVER_CORE, CLIENT_CORE = "1", "0"
KEY = (("x-api-key", SECRET),)
V2 = "/v2/models/{model}/infer"


class Server(NamedTuple):
    """A server.

    wires: the JSON that it speaks. binary: what it speaks beside that. restless: it works while nobody asks.
    """

    name: str
    folder: str
    wires: tuple[Wire, ...]
    binary: Wire | None = None
    environment: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    restless: bool = False

    def python(self) -> Path:
        """Raises NotInstalled."""
        return python_of(self.environment or self.folder)

    def title(self) -> str:
        return self.name if self.environment or self.folder == "modelmill" else f"{self.name} {pinned(self.folder)}"

    def path(self, spoken: Wire, model: str) -> str:
        return spoken.path.format(model="m" if self.folder == "modelmill" else model)

    def message(self, spoken: Wire, model: str, count: int) -> Message:
        asked = spoken.ask(MODELS[model], count)
        return Message(asked.headers | dict(self.headers), asked.body)


OURS = wire.instances("/v1/models/{model}/predict")
PREDICT = wire.instances("/predict")

SERVERS = [
    Server(
        "bare handler", "bare", (PREDICT, wire.open_inference("/infer")), wire.raw("/bytes"), environment="modelmill"
    ),
    Server("modelmill", "modelmill", (OURS, wire.open_inference(V2)), wire.binary(V2), headers=KEY),
    Server("FastAPI", "fastapi", (PREDICT,), wire.raw("/bytes")),
    Server("MLServer", "mlserver", (wire.open_inference(V2),)),
    Server("KServe", "kserve", (wire.open_inference(V2),), wire.binary(V2)),
    Server("MLflow", "mlflow", (wire.mlflow("/invocations"),)),
    Server("LitServe", "litserve", (PREDICT,)),
    Server("BentoML", "bentoml", (PREDICT,)),
    Server("Ray Serve", "ray_serve", (PREDICT,), restless=True),
]


@cache
def bundle(name: str) -> Path:
    """A folder with the bundle of a reference model."""
    folder = CACHE / "bundles" / name
    MODELS[name].write_bundle(folder)
    return folder


def command(server: Server, model: str, port: int) -> list[str]:
    script = str(PEERS / server.folder / "server.py")
    of_model = [str(bundle(model))] if server.folder == "modelmill" else [model, str(MODELS[model].path)]
    pinned_to_core = ["taskset", "-c", SERVER_CORE] if cores() else []
    return [*pinned_to_core, str(server.python()), script, *of_model, str(port)]


def cores() -> bool:
    """Whether server and client get a core each."""
    return shutil.which("taskset") is not None and len(os.sched_getaffinity(0)) > 1


def environment(server: Server) -> dict[str, str]:
    paths = [PEERS / "shared", *([ROOT / "layers" / "core", ROOT] if server.folder == "modelmill" else [])]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}


def free_port() -> int:
    """Two more after it are most likely free as well."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@contextmanager
def running(server: Server, model: str) -> Iterator[tuple[int, float]]:
    """The port of a server that has answered once, and the seconds from its start to that answer.

    Raises:
        Failed: it ends or does not answer in time; says what it printed.
        NotInstalled
    """
    port = free_port()
    line, variables = command(server, model, port), environment(server)
    with TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            line, env=variables, cwd=CACHE, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        )
        try:
            spoken = server.wires[0]
            first = server.message(spoken, model, 1)
            if not _answers(process, port, server.path(spoken, model), first, started + START_SECONDS):
                errors.seek(0)
                raise Failed(f"{server.name} did not start: {errors.read()[-2000:].decode(errors='replace')}")
            yield port, time.perf_counter() - started
        finally:
            _stop(process)


def _answers(process: subprocess.Popen[bytes], port: int, path: str, message: Message, deadline: float) -> bool:
    while process.poll() is None and time.perf_counter() < deadline:
        try:
            connection = Connection(port)
            try:
                status, _ = connection.send(connection.request("POST", path, message))
            finally:
                connection.close()
            if status == 200:
                return True
        except (OSError, Failed):
            pass
        time.sleep(0.002)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """The process with all that it started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(STOP_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
