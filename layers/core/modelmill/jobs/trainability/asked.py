"""What is asked for and what is decided, whatever the kind of the dataset."""

from typing import NamedTuple, NoReturn

from modelmill.datasets.schema import Schema
from modelmill.errors import FieldError, InvalidRequest
from modelmill.models.manifest import Task


class Asked(NamedTuple):
    """Of a request for a training job, what the dataset must allow; `dataset_target` is the dataset's own."""

    target: str | None
    features: list[str] | None
    task: str
    algorithm: str
    dataset_target: str | None = None
    time: str | None = None
    series: str | None = None
    horizon: int | None = None


class Decision(NamedTuple):
    """The column to be predicted, None where there is none, and the task, never `auto`.

    ignored_target: the dataset's own target where it is neither predicted nor learned from.
    time: of a forecast, the column of its times.
    """

    target: str | None
    task: Task
    ignored_target: str | None = None
    time: str | None = None


def refuse(field: str, message: str) -> NoReturn:
    """Of one field of the request.

    Raises:
        InvalidRequest: always.
    """
    raise InvalidRequest(message, errors=(FieldError(field, message),))


def require_target(asked: Asked, otherwise: str = "") -> str:
    """The target: the one that is named, or the dataset's; `otherwise` says what else could be done.

    Raises:
        InvalidRequest: there is none.
    """
    target = asked.target or asked.dataset_target
    if target is None:
        message = f"is required, since the dataset names no target of its own{otherwise}"
        raise InvalidRequest(f"target {message}", errors=(FieldError("target", message),))
    return target


def check_names(schema: Schema, names: list[str]) -> None:
    """Nothing, where each is a column of the dataset, named once.

    Raises:
        InvalidRequest: one is not.
    """
    for name in names:
        if schema.column(name) is None:
            refuse("features", f"no column {name!r}; the dataset has {known_columns(schema)}")
    if len(set(names)) != len(names):
        refuse("features", "a column is named more than once")


def known_columns(schema: Schema) -> str:
    """The columns for a message, cut where there are very many."""
    return ", ".join(column.name for column in schema.columns[:50])
