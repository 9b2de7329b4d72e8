"""FastAPI around a session, with the validation that it is used for; no key, no log, no metric."""

import os
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from plain import FEATURES, Plain
from pydantic import BaseModel, create_model

Row = create_model("Row", **dict.fromkeys(FEATURES, (float, ...)))


class Picture(BaseModel):
    image: list[list[list[float]]]


class Tokens(BaseModel):
    input_ids: list[int]
    attention_mask: list[int]


class Chosen(BaseModel):
    label: str
    probabilities: dict[str, float]


class Scores(BaseModel):
    probabilities: list[float]


class Vector(BaseModel):
    embedding: list[float]


ROWS: dict[str, tuple[Any, Any]] = {"forest": (Row, Chosen), "cnn": (Picture, Scores), "minilm": (Tokens, Vector)}


def make_app(name: str, path: str) -> FastAPI:
    model = Plain(name, path)
    row, prediction = ROWS[name]
    Body = create_model("Body", instances=(list[row], ...))  # noqa: N806
    Predictions = create_model("Predictions", predictions=(list[prediction], ...))  # noqa: N806
    app = FastAPI()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/predict")
    async def predict(body: Body) -> Predictions:
        return Predictions(predictions=model.predict([instance.__dict__ for instance in body.instances]))

    @app.post("/bytes")
    async def predict_bytes(request: Request) -> Response:
        pictures = np.frombuffer(await request.body(), np.float32).reshape(-1, 28, 28, 1)
        return Response(model.run({"image": pictures})[-1].tobytes(), media_type="application/octet-stream")

    return app


def from_environment() -> FastAPI:
    return make_app(os.environ["BENCH_MODEL"], os.environ["BENCH_PATH"])
