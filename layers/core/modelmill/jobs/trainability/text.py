"""Texts: which column holds them, and whether there are enough."""

from modelmill.datasets.schema import Column, Schema
from modelmill.errors import Untrainable
from modelmill.jobs.trainability.asked import Asked, Decision, refuse, require_target
from modelmill.jobs.trainability.tabular import decide_task

MIN_TEXTS = 20
MIN_TEXTS_PER_CLASS = 5


def decide(schema: Schema, asked: Asked) -> Decision:
    """See `trainability.decide`."""
    if asked.task == "embedding":
        return _decide_embedding(schema, asked)
    target = require_target(asked)
    column = schema.column(target)
    if column is None:
        known = ", ".join(column.name for column in schema.columns[:50])
        refuse("target", f"no column {target!r}; the dataset has {known}")
    text = text_column(schema, target, asked.features)
    usable = min(schema.rows - text.nulls, schema.rows - column.nulls)
    classes = column.distinct
    needed = max(MIN_TEXTS, MIN_TEXTS_PER_CLASS * classes)
    if text.distinct < needed:
        raise Untrainable(
            f"{usable} labelled rows with {text.distinct} different texts are too few for the {classes} classes of "
            f"{target!r}; at least {needed} different texts are needed, and hundreds for a model of use"
        )
    task = asked.task if asked.task != "auto" else "multiclass" if classes > 2 else "binary"
    return Decision(target, decide_task(schema, column, task))


def _decide_embedding(schema: Schema, asked: Asked) -> Decision:
    """Nothing is predicted; what the dataset calls its target is not read, unless it is named."""
    if asked.target is not None:
        refuse("target", "embedding takes no target; leave it out")
    ignored = asked.dataset_target if asked.dataset_target not in (asked.features or ()) else None
    text = text_column(schema, ignored, asked.features)
    if text.distinct < MIN_TEXTS:
        raise Untrainable(
            f"{text.distinct} different texts are too few to check an encoder with; at least {MIN_TEXTS} are needed"
        )
    return Decision(None, "embedding", ignored)


def text_column(schema: Schema, target: str | None, features: list[str] | None) -> Column:
    """The column to read: the one that `features` names, or the only one that can be meant.

    Raises:
        InvalidRequest: there is none, or more than one.
    """
    words = [column for column in schema.columns if column.type in ("text", "category") and column.name != target]
    names = ", ".join(column.name for column in words)
    if features is not None:
        found = [column for column in words if column.name in features]
        if len(features) != 1 or not found:
            refuse("features", f"text is learned from one column, one of {names}; got {', '.join(features)[:200]}")
        return found[0]
    if not words:
        refuse("features", "the dataset has no column of text besides the target")
    long = [column for column in words if column.type == "text"] or words
    if len(long) > 1:
        refuse("features", f"name the column to read, one of {names}")
    return long[0]
