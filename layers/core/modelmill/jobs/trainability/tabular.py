"""Tables: columns and classes."""

from modelmill.datasets.schema import Column, Schema
from modelmill.errors import Untrainable
from modelmill.jobs.trainability import unsupervised
from modelmill.jobs.trainability.asked import Asked, Decision, check_names, known_columns, refuse, require_target
from modelmill.models.manifest import Task

MIN_ROWS = 10
MIN_ROWS_PER_CLASS = 2
MAX_CLASSES = 100
# A whole-number target of two values, or of at most this many with this many rows each, is taken for classes.
MAX_INTEGER_CLASSES = 20
ROWS_PER_INTEGER_CLASS = 10


def decide(schema: Schema, asked: Asked) -> Decision:
    """See `trainability.decide`."""
    task = unsupervised.task_of(asked)
    if task is not None:
        return unsupervised.decide(schema, asked, task)
    target = require_target(asked, f"; to learn without one, ask for the task {' or '.join(unsupervised.TASKS)}")
    column = check_columns(schema, target, asked.features)
    return Decision(target, decide_task(schema, column, asked.task))


def check_columns(schema: Schema, target: str, features: list[str] | None) -> Column:
    """The target's column.

    Raises:
        InvalidRequest: the target or a feature is not in the dataset, or is named twice.
        Untrainable: no feature has more than one value.
    """
    column = schema.column(target)
    if column is None:
        refuse("target", f"no column {target!r}; the dataset has {known_columns(schema)}")
    names = features if features is not None else [other.name for other in schema.columns if other.name != target]
    if target in names:
        refuse("features", f"{target!r} is the target and cannot be a feature")
    check_names(schema, names)
    if not any(found.distinct > 1 for name in names if (found := schema.column(name))):
        raise Untrainable("no column besides the target has more than one value, so there is nothing to learn from")
    return column


def decide_task(schema: Schema, target: Column, task: str) -> Task:
    """The task: the asked one where the target allows it, or the one that fits the target where `auto` is asked.

    Raises:
        Untrainable: the target is empty, constant, free text or a time, or has too few rows or too many classes.
        InvalidRequest: the asked task does not fit the target.
    """
    labelled = schema.rows - target.nulls
    _check_target(target, labelled)
    if task == "auto":
        task = _fitting_task(target)
    if task == "regression":
        if target.type not in ("number", "integer"):
            refuse("task", f"regression needs a number as target; {target.name!r} is of type {target.type}")
        return "regression"
    _check_classes(target, labelled)
    if task == "binary" and target.distinct != 2:
        refuse("task", f"binary needs a target of two values; {target.name!r} has {target.distinct}")
    if task == "multiclass":
        return "multiclass"
    return "binary"


def _check_target(target: Column, labelled: int) -> None:
    name = repr(target.name)
    if labelled == 0:
        raise Untrainable(f"the target {name} is empty in every row")
    if target.distinct <= 1:
        raise Untrainable(f"the target {name} has the same value in every row, so there is nothing to predict")
    if labelled < MIN_ROWS:
        raise Untrainable(f"only {labelled} rows have a value in {name}; at least {MIN_ROWS} are needed")
    if target.type == "timestamp":
        raise Untrainable(f"the target {name} is a timestamp; expected a number or a category")


def _fitting_task(target: Column) -> str:
    if target.distinct == 2:
        return "binary"
    if target.type == "number" or (target.type == "integer" and not _looks_like_classes(target)):
        return "regression"
    return "multiclass"


def _looks_like_classes(target: Column) -> bool:
    frequent = (top.count >= ROWS_PER_INTEGER_CLASS for top in target.top or [])
    return target.distinct <= MAX_INTEGER_CLASSES and bool(target.top) and all(frequent)


def _check_classes(target: Column, labelled: int) -> None:
    name = repr(target.name)
    if target.distinct > MAX_CLASSES:
        hint = f"at most {MAX_CLASSES} are supported; give a target of fewer values, or ask for task 'regression'"
        raise Untrainable(f"the target {name} has {target.distinct} different values; {hint}")
    if labelled < MIN_ROWS_PER_CLASS * target.distinct:
        raise Untrainable(f"{labelled} rows are too few for the {target.distinct} classes of {name}")
    rare = [top.value for top in target.top or [] if top.count < MIN_ROWS_PER_CLASS]
    if rare:
        shown = ", ".join(repr(value) for value in rare[:10])
        hint = "" if target.type not in ("number", "integer") else ", or ask for task 'regression'"
        raise Untrainable(
            f"these classes of {name} occur in one row only: {shown}; remove or merge them, add rows{hint}"
        )
