"""FastAPI around a session, with the validation that it is used for; no key, no log, no metric."""

import numpy as np
from fastapi import FastAPI, Request, Response
from plain import Plain
from rows import body_and_predictions


def make_app(name: str, path: str) -> FastAPI:
    model = Plain(name, path)
    Body, Predictions = body_and_predictions(name)  # noqa: N806
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
