"""`server.py MODEL PATH PORT`: LitServe with one API process and one worker."""

import sys
from typing import Any

import litserve
from plain import Plain


class Onnx(litserve.LitAPI):
    def __init__(self, name: str, path: str) -> None:
        super().__init__(enable_async=False)
        self._name, self._path = name, path

    def setup(self, _device: str) -> None:
        self._model = Plain(self._name, self._path)

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._model.decode(request["instances"])

    def predict(self, inputs: dict[str, Any]) -> list[Any]:
        return self._model.run(inputs)

    def encode_response(self, output: list[Any]) -> dict[str, Any]:
        return {"predictions": self._model.encode(output)}


if __name__ == "__main__":
    name, path, port = sys.argv[1:]
    server = litserve.LitServer(Onnx(name, path), accelerator="cpu", workers_per_device=1, timeout=30)
    server.run(host="127.0.0.1", port=int(port), num_api_servers=1, log_level="critical", generate_client_file=False)
