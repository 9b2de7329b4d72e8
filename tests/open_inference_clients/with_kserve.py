"""Calls of kserve's InferenceRESTClient: `python with_kserve.py HOST:PORT`."""

import asyncio
import sys
from typing import Any

from calls import Call, array_of, headers, serve, tensor_of
from kserve import InferenceRESTClient, InferInput, InferRequest, InferResponse
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from kserve.utils.numpy_codec import to_np_dtype


async def made(client: InferenceRESTClient, url: str, call: Call) -> Any:
    """What the client gives for a call; it has no argument for versions, which go into its paths with the name."""
    method = call["method"]
    if method == "live":
        return await client.is_server_live(url, headers=headers(call))
    if method == "ready":
        return await client.is_server_ready(url, headers=headers(call))
    model = f"{call['model']}/versions/{call['version']}" if call["version"] else call["model"]
    if method == "model_ready":
        return await client.is_model_ready(url, model, headers=headers(call))
    return told(await client.infer(url, request(call), model_name=model, headers=headers(call)))


def request(call: Call) -> InferRequest:
    """The request of an infer call."""
    return InferRequest(
        call["model"],
        [given(tensor) for tensor in call["inputs"]],
        request_id=call["id"] or None,
        parameters={"binary_data_output": call["binary"]},
        request_outputs=[RequestedOutput(output["name"], parameters(output)) for output in call["outputs"]] or None,
    )


def given(tensor: dict[str, Any]) -> InferInput:
    """An input of the client."""
    made = InferInput(tensor["name"], tensor["shape"], tensor["datatype"])
    array = array_of(tensor, to_np_dtype(tensor["datatype"]))
    made.set_data_from_numpy(array, binary_data=tensor["binary"])
    return made


def parameters(output: dict[str, Any]) -> dict[str, Any]:
    """Of an output that is asked for."""
    chosen = {"binary_data": output["binary"]}
    return chosen | ({"classification": output["classes"]} if output["classes"] else {})


def told(response: InferResponse) -> dict[str, Any]:
    """A response as JSON."""
    outputs = {output.name: tensor_of(output.datatype, output.as_numpy()) for output in response.outputs}
    return {"id": response.id, "model": response.model_name, "version": response.model_version, "outputs": outputs}


async def connected() -> InferenceRESTClient:
    return InferenceRESTClient(RESTConfig(protocol="v2"))


def main(url: str) -> None:
    """Serve calls."""
    with asyncio.Runner() as runner:
        client = runner.run(connected())
        serve(lambda call: runner.run(made(client, f"http://{url}", call)))
        runner.run(client.close())


if __name__ == "__main__":
    main(*sys.argv[1:])
