"""Data that is small, poor, or far from what float32 can hold: it still trains, or fails with a clear word."""

import json
import math
from typing import Any

import numpy as np
import pytest

from modelmill_training.__main__ import EXIT_DATA, EXIT_INTERNAL, main
from modelmill_training.tabular.algorithms.linear import LinearModel
from tests.ml_tree import Columns, Data, builtin, mixed, run_entry, write_tree
from tests.training.conftest import Train

ALGORITHMS = ("linear", "svm", "decision_tree", "random_forest", "gradient_boosting")


def noise(rows: int, task: str = "binary", classes: int = 2, seed: int = 0) -> Data:
    """Features that tell nothing about the target."""
    random = np.random.default_rng(seed)
    columns: Columns = {name: ("number", random.normal(size=rows).tolist()) for name in "abc"}
    target = ("number", random.normal(size=rows).tolist())
    if task != "regression":
        target = ("category", [f"class {place % classes}" for place in random.permutation(rows)])
    return Data({**columns, "target": target}, "target", task)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "auto"])
@pytest.mark.parametrize(("task", "classes"), [("regression", 0), ("binary", 2), ("multiclass", 3)])
@pytest.mark.parametrize("rows", [5, 10, 30])
def test_few_rows(train: Train, algorithm: str, task: str, classes: int, rows: int) -> None:
    tree = train(noise(rows, task, classes), algorithm)
    assert tree.failure is None
    assert tree.manifest.parity["passed"]
    assert sum(len(part) for part in tree.parts.values()) == rows
    assert tree.parts["test"]


def test_what_cannot_be_computed_is_null(train: Train) -> None:
    tree = train(noise(10, "regression"))
    text = (tree.root / "model/manifest.json").read_text()
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    # given one class only among the test rows
    values = ["rare"] + ["often"] * 19
    tree = train(noise(20).with_columns(target=("category", values)))
    assert tree.manifest.metrics["test"]["roc_auc"] is None
    assert tree.manifest.metrics["test"]["accuracy"] == 1.0


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "auto"])
def test_labels_at_random_still_train(train: Train, algorithm: str) -> None:
    tree = train(noise(300), algorithm)
    assert 0.2 < tree.manifest.metrics["test"]["accuracy"] < 0.8


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_reported_error_is_that_of_the_graph_also_far_from_zero(train: Train, algorithm: str) -> None:
    data = builtin("diabetes")
    moved = [1.7e9 + 600 * value for value in np.array(data.values("target")) / 77]
    tree = train(data.with_columns(target=("number", moved)), algorithm)

    rows = tree.parts["test"]
    errors = tree.predict(rows)["value"][:, 0] - np.array(moved)[rows]

    assert tree.manifest.metrics["test"]["rmse"] == pytest.approx(math.sqrt(np.mean(errors**2)), rel=1e-3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("offset", "scale"), [(1.7e9, 1000.0), (-1e-9, 1e-12), (1e12, 1.0), (0.0, 1e30)])
def test_targets_of_any_magnitude_pass_the_gate(train: Train, algorithm: str, offset: float, scale: float) -> None:
    data = builtin("diabetes")
    target = np.array(data.values("target"))
    moved = (offset + scale * (target - target.mean()) / target.std()).tolist()
    tree = train(data.with_columns(target=("number", moved)), algorithm)
    assert tree.failure is None
    assert tree.manifest.metrics["test"]["r2"] > 0.2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_numbers_beyond_float32_and_infinities(train: Train, algorithm: str) -> None:
    data = builtin("wine")
    values = data.values("alcohol")
    huge = [value * 1e300 for value in values]
    holes = [math.inf if row % 7 == 0 else -math.inf if row % 7 == 1 else value for row, value in enumerate(values)]
    tree = train(data.with_columns(huge=("number", huge), holes=("number", holes)), algorithm)
    assert tree.failure is None
    assert tree.manifest.metrics["test"]["accuracy"] > (0.65 if algorithm == "decision_tree" else 0.8)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_numbers_that_float32_rounds_to_zero(train: Train, algorithm: str, task: str) -> None:
    data = noise(60, task, classes=3)
    tiny = [1e-150 * (value + 0.3) for value in data.values("a")]
    tree = train(data.with_columns(a=("number", tiny)), algorithm, features=["a"])
    assert tree.failure is None


@pytest.mark.parametrize(
    ("kind", "values", "labels"),
    [
        ("integer", [10, 9, 2], ["2", "9", "10"]),
        ("number", [0.5, 2.0, 10.0], ["0.5", "2", "10"]),
        ("boolean", [True, False, True], ["false", "true"]),
        ("category", ["β", "a", ""], ["a", "β"]),
    ],
)
def test_classes_are_strings_in_the_order_of_their_values(
    train: Train, kind: str, values: list[Any], labels: list[str]
) -> None:
    tree = train(noise(60, "multiclass").with_columns(target=(kind, values * 20)))
    assert tree.manifest.labels == labels


def test_many_categories_are_capped(train: Train) -> None:
    random = np.random.default_rng(0)
    often = [f"often {place}" for place in range(20)]
    words = [*(random.choice(often, 1500)), *(f"rare {place}" for place in range(500))]
    tree = train(noise(2000).with_columns(word=("category", [str(word) for word in words])))
    assert tree.failure is None
    assert tree.manifest.files["model.onnx"].bytes < 20_000


@pytest.mark.parametrize(
    ("change", "spec", "code", "words"),
    [
        ({"target": ("category", ["x"] * 60)}, {}, "constant_target", "'x' in every row"),
        ({"target": ("number", [2.0] * 60)}, {"task": "regression"}, "constant_target", "2 in every row"),
        ({"target": ("category", [None] * 56 + ["a", "b"] * 2)}, {}, "too_few_rows", "Got 4 rows"),
        ({"target": ("category", ["a", "b"] * 30)}, {"task": "regression"}, "target_not_numeric", "type category"),
        ({"target": ("category", ["a", "b", "c"] * 20)}, {"task": "binary"}, "task_mismatch", "Got 3 classes"),
        ({"target": ("category", [str(row) for row in range(60)])}, {"task": "multiclass"}, "too_few_rows", "once"),
        ({"target": ("timestamp", [1] * 60)}, {}, "target_not_classes", "timestamp"),
        ({name: ("number", [1.0] * 60) for name in "abc"}, {}, "no_usable_columns", "'a': constant"),
        ({}, {"features": ["a", "z"]}, "unknown_column", "'z'"),
        ({}, {"hyperparameters": {"C": -1}}, "invalid_request", "hyperparameters.C: got -1"),
        ({}, {"algorithm": "random_forest", "max_model_bytes": 5000}, "model_too_large", "fewer trees"),
        ({}, {"algorithm": "decision_tree", "max_model_bytes": 500}, "model_too_large", "lower max_depth"),
        ({}, {"algorithm": "svm", "max_model_bytes": 500}, "model_too_large", "lower max_rows"),
        ({}, {"algorithm": "gradient_boosting", "max_model_bytes": 500}, "model_too_large", "lower max_iter"),
    ],
)
def test_failures_name_their_cause(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, change: Columns, spec: dict, code: str, words: str
) -> None:
    data = noise(60).with_columns(**change)
    algorithm = spec.pop("algorithm", "linear") if "algorithm" in spec else "linear"
    tree = write_tree(tmp_path / "ml", data, algorithm, **spec)
    monkeypatch.setenv("MODELMILL_ML_ROOT", str(tree.root))

    assert main() == EXIT_DATA

    assert tree.failure is not None
    assert tree.failure.startswith(f"{code}: ")
    assert words in tree.failure
    assert not (tree.root / "model/manifest.json").exists()


def test_a_failure_ends_the_process_with_its_code(tmp_path: Any) -> None:
    tree = write_tree(tmp_path / "ml", mixed(), features=["comment"])
    result = run_entry(tree)
    assert result.returncode == EXIT_DATA
    assert tree.failure == "no_usable_columns: No column is left to learn from ('comment': free text)."
    assert tree.failure in result.stdout


def test_what_nobody_foresaw_is_internal_and_tells_no_secrets(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("/opt/secret/path")

    monkeypatch.setattr("modelmill_training.tabular.job.prepare", broken)
    tree = train(builtin("iris"))
    assert tree.failure == "internal: Unexpected RuntimeError in the phase load; the job's log has the details."
    assert "/opt/secret/path" in capsys.readouterr().err
    assert main() == EXIT_INTERNAL


def test_a_cause_of_any_length_fits_into_the_failure_file(train: Train) -> None:
    columns: Columns = {f"column {place}" * 10: ("text", ["x"] * 30) for place in range(40)}
    tree = train(Data({**columns, "target": ("category", ["a", "b"] * 15)}, "target", "binary"))
    assert tree.failure is not None
    assert len(tree.failure) == 1024


def test_a_graph_that_says_something_else_never_leaves_the_job(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    write = LinearModel.write

    def wrong(self: LinearModel, *arguments: Any) -> str:
        return write(LinearModel(self.weights * 1.01, self.intercept, self.classification), *arguments)

    monkeypatch.setattr(LinearModel, "write", wrong)
    tree = train(builtin("breast_cancer"))
    assert tree.failure is not None
    assert tree.failure.startswith("parity_failed: The exported model agrees with the trained one on ")
