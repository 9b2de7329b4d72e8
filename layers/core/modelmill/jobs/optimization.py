"""The smaller form of a model that a request may ask for."""

from typing import Any

from modelmill.errors import FieldError, InvalidRequest
from modelmill.jobs.catalogue import AUTO, find
from modelmill.jobs.catalogue.unsupervised import USUAL
from modelmill.models.manifest import Task

FORMS = ("int8", "float16")
MAX_METRIC_LOSS = 0.01


def resolve_optimize(kind: str, algorithm: str, task: Task, asked: dict[str, Any] | None) -> dict[str, Any] | None:
    """`{"quantize", "max_metric_loss"}`, complete, or None where nothing is asked.

    Raises:
        InvalidRequest: there is no such form, a loss is out of its range, or the algorithm has nothing to quantise;
            `errors` names each.
    """
    if asked is None:
        return None
    loss = asked.get("max_metric_loss")
    loss = MAX_METRIC_LOSS if loss is None else float(loss)
    errors = []
    if asked["quantize"] not in FORMS:
        shown = f"got {asked['quantize'][:80]!r}, expected one of {', '.join(FORMS)}"
        errors.append(FieldError("optimize.quantize", shown))
    if not 0 <= loss <= 1:
        errors.append(FieldError("optimize.max_metric_loss", f"got {loss:g}, expected a number from 0 to 1"))
    chosen = USUAL.get(task, algorithm) if algorithm == AUTO else algorithm
    if not find(kind, chosen).quantizable:
        message = f"{chosen} has no weights that could be quantised; leave optimize out"
        errors.append(FieldError("optimize", message))
    if errors:
        raise InvalidRequest("; ".join(f"{error.field}: {error.message}" for error in errors), errors=tuple(errors))
    return {"quantize": asked["quantize"], "max_metric_loss": loss}
