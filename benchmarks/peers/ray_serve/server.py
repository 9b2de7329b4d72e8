"""`server.py MODEL PATH PORT`: Ray Serve with one replica."""

import signal
import sys
from typing import Any

import orjson
import ray
from plain import Plain
from ray import serve
from starlette.requests import Request
from starlette.responses import Response


@serve.deployment(ray_actor_options={"num_cpus": 0})
class Onnx:
    def __init__(self, name: str, path: str) -> None:
        self._model = Plain(name, path)

    async def __call__(self, request: Request) -> Any:
        body = await request.body()
        answer = {"predictions": self._model.predict(orjson.loads(body)["instances"])}
        return Response(orjson.dumps(answer), media_type="application/json")


if __name__ == "__main__":
    name, path, port = sys.argv[1:]
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
    serve.start(http_options={"host": "127.0.0.1", "port": int(port), "access_log": False})
    serve.run(Onnx.bind(name, path), route_prefix="/predict")
    signal.pause()
