"""Pictures: whether there are enough of each class."""

from modelmill.datasets.schema import Schema
from modelmill.errors import Untrainable
from modelmill.jobs.trainability.asked import Asked, Decision, refuse
from modelmill.jobs.trainability.tabular import decide_task

LABEL = "label"
MIN_PICTURES = 20
MIN_PICTURES_PER_CLASS = 5


def decide(schema: Schema, asked: Asked) -> Decision:
    """See `trainability.decide`. The labels are always in the column `label`, whatever a table called them."""
    if asked.features is not None:
        refuse("features", "pictures are learned from as they are; leave it out")
    label, image = schema.column(LABEL), schema.column("image")
    if label is None or image is None:
        raise Untrainable("the dataset has no pictures with labels")
    needed = max(MIN_PICTURES, MIN_PICTURES_PER_CLASS * label.distinct)
    if image.distinct < needed:
        raise Untrainable(
            f"{image.distinct} different pictures are too few for {label.distinct} classes; at least {needed} are "
            "needed, and hundreds for a model of use"
        )
    return Decision(LABEL, decide_task(schema, label, _classes(asked.task, label.distinct)))


def _classes(task: str, classes: int) -> str:
    return task if task != "auto" else "multiclass" if classes > 2 else "binary"
