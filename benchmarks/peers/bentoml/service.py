"""A BentoML service around a session."""

import os
from typing import Any

import bentoml
from plain import Plain


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Onnx:
    def __init__(self) -> None:
        self._model = Plain(os.environ["BENCH_MODEL"], os.environ["BENCH_PATH"])

    @bentoml.api(route="/predict")
    def predict(self, instances: list[dict[str, Any]]) -> dict[str, list[Any]]:
        return {"predictions": self._model.predict(instances)}
