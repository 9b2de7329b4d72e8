"""Calls of tritonclient: `python with_triton.py HOST:PORT [asyncio]`."""

import asyncio
import sys
from inspect import isawaitable
from typing import Any

from calls import Call, array_of, headers, serve, tensor_of
from tritonclient import http
from tritonclient.http import aio
from tritonclient.utils import triton_to_np_dtype

PLAIN = {
    "live": "is_server_live",
    "ready": "is_server_ready",
    "server": "get_server_metadata",
    "index": "get_model_repository_index",
}
OF_A_MODEL = {"metadata": "get_model_metadata", "model_ready": "is_model_ready"}


def made(client: Any, call: Call) -> Any:
    """What the client gives for a call; with asyncio, to be awaited."""
    method = call["method"]
    if method in PLAIN:
        return getattr(client, PLAIN[method])(headers=headers(call))
    if method in OF_A_MODEL:
        return getattr(client, OF_A_MODEL[method])(call["model"], call["version"], headers=headers(call))
    return client.infer(
        call["model"],
        [given(tensor) for tensor in call["inputs"]],
        model_version=call["version"],
        outputs=[wanted(output) for output in call["outputs"]] or None,
        request_id=call["id"],
        headers=headers(call),
        request_compression_algorithm=call["request_compression"],
        response_compression_algorithm=call["response_compression"],
    )


def given(tensor: dict[str, Any]) -> http.InferInput:
    """An input of the client."""
    made = http.InferInput(tensor["name"], tensor["shape"], tensor["datatype"])
    array = array_of(tensor, triton_to_np_dtype(tensor["datatype"]))
    return made.set_data_from_numpy(array, binary_data=tensor["binary"])


def wanted(output: dict[str, Any]) -> http.InferRequestedOutput:
    """An output that is asked for."""
    return http.InferRequestedOutput(output["name"], output["binary"], output["classes"])


def told(result: Any) -> Any:
    """A result as JSON."""
    if not isinstance(result, http.InferResult):
        return result
    response = result.get_response()
    outputs = {
        output["name"]: tensor_of(output["datatype"], result.as_numpy(output["name"])) for output in response["outputs"]
    }
    return {
        "id": response.get("id"),
        "model": response["model_name"],
        "version": response["model_version"],
        "outputs": outputs,
    }


async def awaited(client: Any, call: Call) -> Any:
    result = made(client, call)
    return told(await result if isawaitable(result) else result)


async def connected(url: str) -> aio.InferenceServerClient:
    return aio.InferenceServerClient(url)


def main(url: str, kind: str = "") -> None:
    """Serve calls with the client of that kind."""
    if kind != "asyncio":
        client = http.InferenceServerClient(url)
        serve(lambda call: told(made(client, call)))
        return
    with asyncio.Runner() as runner:
        opened = runner.run(connected(url))
        serve(lambda call: runner.run(awaited(opened, call)))
        runner.run(opened.close())


if __name__ == "__main__":
    main(*sys.argv[1:])
