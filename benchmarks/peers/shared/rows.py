"""Rows and predictions of the reference models as pydantic models, for peers that check with these."""

from plain import FEATURES
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


def body_and_predictions(name: str) -> tuple[type[BaseModel], type[BaseModel]]:
    """What a call for this model takes and gives."""
    row, prediction = {"forest": (Row, Chosen), "cnn": (Picture, Scores), "minilm": (Tokens, Vector)}[name]
    body = create_model("Body", instances=(list[row], ...))
    return body, create_model("Predictions", predictions=(list[prediction], ...))
