"""The search for hyper-parameters as a request may ask for it."""

from typing import Any, NamedTuple

from modelmill.errors import FieldError, InvalidRequest
from modelmill.jobs.catalogue import AUTO, find, search_spaces
from modelmill.jobs.metrics import METRICS
from modelmill.models.manifest import Task


class Setting(NamedTuple):
    """A whole number of a request's `tuning`, and its bounds."""

    default: int
    minimum: int
    maximum: int


SETTINGS = {"trials": Setting(30, 1, 500), "timeout_s": Setting(600, 1, 3600)}


def resolve_tuning(
    kind: str, algorithm: str, task: Task, hyperparameters: dict[str, Any], asked: dict[str, Any] | None
) -> dict[str, Any] | None:
    """`{"trials", "timeout_s", "metric"}`, complete, or None where nothing is asked; `hyperparameters` stay as given.

    Raises:
        InvalidRequest: a number is out of its range, the task has no such metric, or there is nothing to search;
            `errors` names each.
    """
    if asked is None:
        return None
    errors = [*_wrong_settings(asked), *_wrong_metric(task, asked), *_nothing_to_search(kind, algorithm, task)]
    if not errors:
        errors = _all_given(kind, algorithm, task, hyperparameters)
    if errors:
        raise InvalidRequest("; ".join(f"{error.field}: {error.message}" for error in errors), errors=tuple(errors))
    numbers = {name: _given(asked, name, setting.default) for name, setting in SETTINGS.items()}
    return {**numbers, "metric": _given(asked, "metric", next(iter(METRICS[task])))}


def _given(asked: dict[str, Any], name: str, default: Any) -> Any:
    value = asked.get(name)
    return default if value is None else value


def _wrong_settings(asked: dict[str, Any]) -> list[FieldError]:
    return [
        FieldError(f"tuning.{name}", f"got {value}, expected an integer from {setting.minimum} to {setting.maximum}")
        for name, setting in SETTINGS.items()
        if not setting.minimum <= (value := _given(asked, name, setting.default)) <= setting.maximum
    ]


def _wrong_metric(task: Task, asked: dict[str, Any]) -> list[FieldError]:
    known, metric = METRICS.get(task, {}), asked.get("metric")
    if not known:
        return [FieldError("tuning", f"{task} has no metric to tune by; leave tuning out")]
    if metric is None or metric in known:
        return []
    return [FieldError("tuning.metric", f"got {metric[:80]!r}, expected one of {', '.join(known)} for {task}")]


def _nothing_to_search(kind: str, algorithm: str, task: Task) -> list[FieldError]:
    if algorithm != AUTO and not search_spaces(find(kind, algorithm), task):
        return [FieldError("tuning", f"{algorithm} has no hyper-parameter to search for {task}; leave it out")]
    return []


def _all_given(kind: str, algorithm: str, task: Task, hyperparameters: dict[str, Any]) -> list[FieldError]:
    """Given hyper-parameters stay as they are, so some must be left."""
    spaces = () if algorithm == AUTO else search_spaces(find(kind, algorithm), task)
    if algorithm == AUTO or any(name not in hyperparameters for name in spaces):
        return []
    message = f"every hyper-parameter that could be searched is given; leave out one of {', '.join(spaces)}"
    return [FieldError("tuning", message)]
