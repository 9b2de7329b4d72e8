"""Whether a model can be trained on a dataset at all, decided from its profile before anything is started."""

from collections.abc import Callable

from modelmill.datasets.schema import Schema
from modelmill.jobs.trainability import image, tabular, text, timeseries
from modelmill.jobs.trainability.asked import Asked, Decision, refuse

__all__ = ["Asked", "Decision", "decide"]

# By the kind of the dataset.
_DECIDE: dict[str, Callable[[Schema, Asked], Decision]] = {
    "tabular": tabular.decide,
    "timeseries": timeseries.decide,
    "text": text.decide,
    "image": image.decide,
}


def decide(schema: Schema, asked: Asked) -> Decision:
    """The task, and what is predicted.

    Raises:
        InvalidRequest: what is asked for does not fit the dataset.
        Untrainable: nothing can be learned from it.
    """
    _check_fields(schema.kind, asked)
    return _DECIDE[schema.kind](schema, asked)


def _check_fields(kind: str, asked: Asked) -> None:
    if kind == "timeseries":
        return
    for field in ("time", "series", "horizon"):
        if getattr(asked, field) is not None:
            refuse(field, f"{field} is for datasets of kind timeseries; this one is {kind}, so leave it out")
