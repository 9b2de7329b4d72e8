"""What a person should look at before the model is believed."""

from typing import Any

from modelmill.models.manifest import Task
from modelmill_training.metrics import SCORE
from modelmill_training.split import Split

FEW_ROWS = 30
LARGE_GAP = 0.1

type Finding = dict[str, Any]


def small_parts(split: Split) -> list[Finding]:
    """Held-out metrics of few rows are rough."""
    rows = len(split.test)
    if rows >= FEW_ROWS:
        return []
    return [warning("few_rows", f"only {rows} rows are held out: the metrics are rough; add rows")]


def overfitting(task: Task, metrics: dict[str, dict[str, Any]]) -> list[Finding]:
    """The model knows the rows that it was trained on much better than others."""
    name = SCORE[task]
    train, test = metrics["train"].get(name), metrics["test"].get(name)
    if train is None or test is None or train - test <= LARGE_GAP:
        return []
    text = f"{name} is {train:.3f} on the rows that were trained on and {test:.3f} on others"
    return [warning("overfitting", f"{text}: add rows, or ask for a simpler or more regularised model")]


def warning(code: str, message: str, column: str | None = None) -> Finding:
    """One finding."""
    return {"code": code, "message": message} | ({"column": column} if column else {})
