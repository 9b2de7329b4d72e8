"""Tables without a column to be predicted: whether their rows differ at all, and are enough."""

from modelmill.datasets.schema import Column, Schema
from modelmill.errors import Untrainable
from modelmill.jobs.catalogue import AUTO, algorithms
from modelmill.jobs.catalogue.unsupervised import TASKS
from modelmill.jobs.trainability.asked import Asked, Decision, check_names, refuse
from modelmill.models.manifest import Task

__all__ = ["TASKS", "decide", "task_of"]

MIN_ROWS = 20


def task_of(asked: Asked) -> Task | None:
    """The task without a target that is asked for, by its name or by that of an algorithm that does nothing else."""
    tasks: dict[str, Task] = {"clustering": "clustering", "anomaly_detection": "anomaly_detection"}
    algorithm = algorithms("tabular").get(asked.algorithm)
    if asked.task == AUTO and algorithm is not None and len(algorithm.tasks) == 1:
        return tasks.get(algorithm.tasks[0])
    return tasks.get(asked.task)


def decide(schema: Schema, asked: Asked, task: Task) -> Decision:
    """See `trainability.decide`. What the dataset calls its target is no feature, unless it is named as one."""
    if asked.target is not None:
        refuse("target", f"{task} takes no target; leave it out, or ask for another task")
    ignored = asked.dataset_target if asked.dataset_target not in (asked.features or ()) else None
    names = asked.features or [column.name for column in schema.columns if column.name != ignored]
    check_names(schema, names)
    if schema.rows < MIN_ROWS:
        raise Untrainable(f"{schema.rows} rows are too few for {task}; at least {MIN_ROWS} are needed")
    if not any(_tells(found) for name in names if (found := schema.column(name))):
        raise Untrainable("no column but free text has more than one value, so there is nothing to learn from")
    return Decision(None, task, ignored)


def _tells(column: Column) -> bool:
    return column.type != "text" and column.distinct > 1
