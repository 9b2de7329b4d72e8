"""The data plane behind the local gateway, and the real clients of the Open Inference Protocol that call it."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import orjson

from modelmill.models.manifest import MODEL_FILE
from modelmill.serving.tensors import CODECS, Array
from modelmill_local.gateway import Cors, Gateway, routes_of
from modelmill_local.instance import Outcome
from modelmill_local.template import load
from tests.inference_setup import KEY, Plane
from tests.template_setup import ROOT

CLIENTS = ROOT / "tests/open_inference_clients"
DATATYPES = {codec.dtype: datatype for datatype, codec in CODECS.items()}

Arrays = Mapping[str, Array]


class InferFunction:
    """`infer` in this process; like its instances it takes one event at a time. Keeps the last one and its answer."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.event: dict[str, Any] = {}
        self.answer: dict[str, Any] = {}
        self._lock = threading.Lock()

    def invoke(self, event: bytes) -> Outcome:
        with self._lock:
            self.event = orjson.loads(event)
            self.answer = self.plane.send(self.event)
            return Outcome(orjson.dumps(self.answer))


@contextmanager
def served(function: InferFunction) -> Iterator[str]:
    """Host and port of a gateway with the template's routes to `infer`."""
    stack = load(ROOT / "template.yaml", {}, "local", "http://127.0.0.1:1")
    absent = dict.fromkeys(resource.logical_id for resource in stack.of_type("AWS::Lambda::Function"))
    routes = routes_of(stack, absent | {"InferFunction": function})
    listener = socket.create_server(("127.0.0.1", 0))
    gateway = Gateway(listener, [route for route in routes if route.target is function], Cors())
    gateway.start()
    try:
        yield "{}:{}".format(*listener.getsockname())
    finally:
        gateway.close()


class ClientError(Exception):
    """What a client raised: the name of its class, and the text."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


class Client:
    """A real client in a process of its own environment, which makes one call for each line that it is sent."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name = name
        self._process = process

    def ask(self, method: str, model: str = "", version: str = "", key: str | None = KEY, **call: Any) -> Any:
        """What the client gives for a call. Raises: ClientError."""
        assert self._process.stdin
        assert self._process.stdout
        call |= {"method": method, "model": model, "version": version, "key": key}
        print(json.dumps(call), file=self._process.stdin, flush=True)
        told = json.loads(self._process.stdout.readline())
        if "error" in told:
            raise ClientError(told["error"], told["message"])
        return told["result"]

    def infer(self, model: str, inputs: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
        """What comes back for tensors; `outputs` are arrays by name."""
        call: dict[str, Any] = {"outputs": [], "id": "", "binary": False}
        call |= {"request_compression": None, "response_compression": None}
        told: dict[str, Any] = self.ask("infer", model, inputs=inputs, **(call | changes))
        return told | {"outputs": {name: _array(output) for name, output in told["outputs"].items()}}


@contextmanager
def started(name: str, programs: Path, *arguments: str) -> Iterator[Client]:
    """A client whose environment's programs lie in a folder."""
    command = [programs / "python", CLIENTS / arguments[0], *arguments[1:]]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, encoding="utf-8") as process:
        yield Client(name, process)


def sent(name: str, array: Array, *, binary: bool = True) -> dict[str, Any]:
    """An input for a client."""
    datatype = DATATYPES[array.dtype]
    data = array.ravel().tolist()
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": data, "binary": binary}


def asked(name: str, *, binary: bool = True, classes: int = 0) -> dict[str, Any]:
    """An output that a client asks for."""
    return {"name": name, "binary": binary, "classes": classes}


def by_hand(folder: Path, inputs: Arrays) -> dict[str, Array]:
    """What onnxruntime makes of the model that lies in a folder."""
    session = onnxruntime.InferenceSession(folder / MODEL_FILE, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def check_agree(given: Arrays, expected: Arrays) -> None:
    """Outputs are those that were expected: texts and whole numbers exactly, others within 1e-6."""
    assert list(given) == list(expected)
    for name, array in expected.items():
        assert (given[name].dtype, given[name].shape) == (array.dtype, array.shape)
        if array.dtype.kind == "f":
            np.testing.assert_allclose(given[name], array, rtol=1e-6, atol=1e-6)
        else:
            assert given[name].tolist() == array.tolist()


def _array(output: dict[str, Any]) -> Array:
    return np.array(output["data"], CODECS[output["datatype"]].dtype).reshape(output["shape"])
