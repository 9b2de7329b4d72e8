"""What is asked for and what is decided, whatever the kind of the dataset."""

from typing import NamedTuple, NoReturn

from modelmill.errors import FieldError, InvalidRequest
from modelmill.models.manifest import Task


class Asked(NamedTuple):
    """Of a request for a training job, what the dataset must allow; `target` is the dataset's where none is named."""

    target: str | None
    features: list[str] | None
    task: str
    algorithm: str
    time: str | None = None
    series: str | None = None
    horizon: int | None = None


class Decision(NamedTuple):
    """The target, None where there is none; the task, never `auto`; of a forecast the column of its times."""

    target: str | None
    task: Task
    time: str | None = None


def refuse(field: str, message: str) -> NoReturn:
    """Of one field of the request.

    Raises:
        InvalidRequest: always.
    """
    raise InvalidRequest(message, errors=(FieldError(field, message),))


def require_target(asked: Asked) -> str:
    """The target.

    Raises:
        InvalidRequest: none is named.
    """
    if asked.target is None:
        message = "is required, since the dataset names no target of its own"
        raise InvalidRequest(f"target {message}", errors=(FieldError("target", message),))
    return asked.target
