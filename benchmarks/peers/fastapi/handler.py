"""The FastAPI application behind Mangum."""

from typing import Any

from app import make_app
from mangum import Mangum


def make(name: str, path: str) -> Any:
    return Mangum(make_app(name, path), lifespan="off")
