"""Which task fits a target, and what can be learned without one."""

import pytest

from modelmill.datasets.schema import Column, Schema, TopValue
from modelmill.errors import InvalidRequest, Untrainable
from modelmill.jobs.trainability import Asked, Decision, decide
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


FREE = Column("note", "text", 0, 100)
SAME = Column("same", "category", 0, 1)


def asked(task: str = "auto", algorithm: str = "auto", **more: str | list[str]) -> Asked:
    return Asked(**{"target": None, "features": None, "task": task, "algorithm": algorithm, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "decision"),
    [
        (asked("clustering"), Decision(None, "clustering")),
        (asked("anomaly_detection"), Decision(None, "anomaly_detection")),
        (asked(algorithm="kmeans"), Decision(None, "clustering")),
        (asked(algorithm="autoencoder", features=["x"]), Decision(None, "anomaly_detection")),
        # What the dataset calls its target is left alone, unless it is asked for.
        (asked("clustering", dataset_target="y"), Decision(None, "clustering", "y")),
        (asked("clustering", dataset_target="y", features=["x", "y"]), Decision(None, "clustering")),
        (asked(dataset_target="y"), Decision("y", "multiclass")),
    ],
)
def test_what_learns_without_a_target_takes_none(question: Asked, decision: Decision) -> None:
    assert decide(schema(Column("y", "category", 0, 3, top=CLASSES)), question) == decision


@pytest.mark.parametrize(
    ("question", "field", "word"),
    [
        (asked("clustering", target="y"), "target", "leave it out"),
        (asked(algorithm="isolation_forest", target="y"), "target", "leave it out"),
        (asked(), "target", "ask for the task clustering or anomaly_detection"),
        (asked("clustering", features=["x", "z"]), "features", "no column 'z'"),
        (asked("clustering", features=["x", "x"]), "features", "more than once"),
    ],
)
def test_what_does_not_fit_names_the_field(question: Asked, field: str, word: str) -> None:
    with pytest.raises(InvalidRequest, match=word) as caught:
        decide(schema(Column("y", "category", 0, 3, top=CLASSES)), question)

    assert [error.field for error in caught.value.errors] == [field]


@pytest.mark.parametrize(
    ("columns", "rows", "word"),
    [
        ([Column("x", "number", 0, 19)], 19, "at least 20"),
        ([SAME, Column("none", "number", 100, 0)], 100, "nothing to learn"),
        ([SAME, FREE], 100, "nothing to learn"),
    ],
)
def test_rows_that_say_nothing_cannot_be_grouped(columns: list[Column], rows: int, word: str) -> None:
    with pytest.raises(Untrainable, match=word):
        decide(Schema("tabular", rows, 0, columns), asked("clustering"))


TEXT = Column("review", "text", 0, 100)


@pytest.mark.parametrize(
    ("asked", "ignored"),
    [
        (Asked(None, None, "embedding", "bert"), None),
        (Asked(None, None, "embedding", "bert", dataset_target="mood"), "mood"),
        (Asked(None, ["mood"], "embedding", "bert", dataset_target="mood"), None),
    ],
)
def test_an_encoder_needs_no_target(asked: Asked, ignored: str | None) -> None:
    texts = Schema("text", 100, 0, [TEXT, Column("mood", "category", 0, 40)])

    assert decide(texts, asked) == Decision(None, "embedding", ignored)


def test_an_encoder_takes_no_target_and_some_texts() -> None:
    few = Schema("text", 19, 0, [Column("review", "text", 0, 19)])

    with pytest.raises(Untrainable, match="19 different texts"):
        decide(few, Asked(None, None, "embedding", "bert"))
    with pytest.raises(InvalidRequest, match="takes no target"):
        decide(few, Asked("review", None, "embedding", "bert"))
