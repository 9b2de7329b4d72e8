"""Which task fits a target."""

import pytest

from modelmill.datasets.schema import Column, Schema, TopValue
from modelmill.jobs.trainability.tabular import decide_task

CLASSES = [TopValue("a", 40), TopValue("b", 40), TopValue("c", 20)]


def schema(target: Column, rows: int = 100) -> Schema:
    return Schema("tabular", rows, 0, [Column("x", "number", 0, rows), target])


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (Column("y", "number", 0, 90), "regression"),
        (Column("y", "number", 0, 2), "binary"),
        (Column("y", "integer", 0, 3, top=[*CLASSES[:2], TopValue("9", 1)]), "regression"),
        (Column("y", "integer", 0, 60), "regression"),
        (Column("y", "integer", 0, 2), "binary"),
        (Column("y", "integer", 0, 3, top=CLASSES), "multiclass"),
        (Column("y", "boolean", 0, 2), "binary"),
        (Column("y", "category", 0, 2), "binary"),
        (Column("y", "category", 5, 3, top=CLASSES), "multiclass"),
    ],
)
def test_auto_takes_the_task_that_fits(target: Column, task: str) -> None:
    assert decide_task(schema(target), target, "auto") == task


def test_an_asked_task_is_kept_where_the_target_allows_it() -> None:
    target = Column("y", "integer", 0, 3, top=CLASSES)

    assert decide_task(schema(target), target, "regression") == "regression"
    assert decide_task(schema(target), target, "multiclass") == "multiclass"
