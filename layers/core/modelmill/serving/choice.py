"""A client's own choice among classes: thresholds for the label, and how many scores to tell."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from modelmill.errors import FieldError, InvalidRequest


class Choice(NamedTuple):
    """top_k: how many scores to tell, highest first; None tells all. thresholds: by label."""

    top_k: int | None
    thresholds: dict[str, float]


def check_choice(choice: Choice, labels: list[str] | None) -> None:
    """Pass when the model has classes, and these.

    Raises:
        InvalidRequest: names what does not fit.
    """
    if not labels:
        raise InvalidRequest("top_k and thresholds are for models that tell classes apart; this model does not")
    unknown = sorted(choice.thresholds.keys() - set(labels))[:20]
    if unknown:
        known = ", ".join(labels[:50]) + (f" and {len(labels) - 50} more" if len(labels) > 50 else "")
        errors = tuple(FieldError(f"thresholds.{label[:80]}", "is not a label of this model") for label in unknown)
        raise InvalidRequest(f"thresholds name no classes of this model; it has {known}", errors=errors)


def choose(prediction: dict[str, Any], name: str, choice: Choice) -> dict[str, Any]:
    """The prediction, whose scores are called `name`, with the label that the thresholds give and the `top_k` scores.

    A class with a threshold is chosen when its score reaches it: of several, the one that exceeds its own by the
    largest factor. Otherwise it is the best class without a threshold, or null where every class has one.
    """
    scores: dict[str, float] = prediction[name]
    label = _label(scores, choice.thresholds) if choice.thresholds else prediction["label"]
    if choice.top_k is not None:
        best = sorted(scores.items(), key=lambda pair: (_is_number(pair[1]), pair[1]), reverse=True)[: choice.top_k]
        scores = dict(best)
    return {"label": label, name: scores}


def _label(scores: Mapping[str, float], thresholds: Mapping[str, float]) -> str | None:
    scores = {label: score for label, score in scores.items() if _is_number(score)}
    reached = {label: scores[label] / limit for label, limit in thresholds.items() if scores.get(label, 0.0) >= limit}
    if reached:
        return max(reached, key=reached.__getitem__)
    others = {label: score for label, score in scores.items() if label not in thresholds}
    return max(others, key=others.__getitem__) if others else None


def _is_number(score: float) -> bool:
    """NaN differs from itself."""
    return score == score
