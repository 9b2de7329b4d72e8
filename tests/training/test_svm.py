"""Support vector machines: what goes beyond one machine of scikit-learn."""

from typing import Any

import numpy as np
import pytest

from modelmill_training.failures import TrainingFailure
from modelmill_training.tabular.algorithms import Request, Rows
from modelmill_training.tabular.algorithms.svm import fit
from tests.ml_tree import Data, builtin, mixed
from tests.training.conftest import Train

GIVEN = {
    "kernel": "rbf",
    "C": 1.0,
    "gamma": None,
    "degree": 3,
    "coef0": 1.0,
    "epsilon": 0.1,
    "class_weight": "none",
    "max_rows": 10_000,
    "max_iter": 1_000_000,
}


def request_of(rows: Rows, classes: int, **fields: Any) -> Request:
    given = {**GIVEN, **fields.pop("hyperparameters", {})}
    return Request(rows, rows, "multiclass", classes, given, seed=7, max_bytes=10**7, **fields)


def blobs(counts: list[int]) -> Rows:
    random = np.random.default_rng(0)
    target = np.repeat(np.arange(len(counts)), counts)
    return Rows((random.normal(size=(len(target), 2)) + 4 * target[:, None]).astype(np.float32), target)


def test_more_rows_than_asked_for_are_sampled(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    data = mixed()
    tree = train(data, "svm", hyperparameters={"max_rows": 150})
    assert tree.manifest.metrics["test"]["roc_auc"] > 0.85
    assert tree.manifest.spec["hyperparameters"]["max_rows"] == 150
    assert "svm learns from 150 of " in capsys.readouterr().out


@pytest.mark.parametrize("counts", [[900, 90, 8, 1], [1, 1, 1], [2, 500]])
def test_rare_classes_are_learned_too(counts: list[int]) -> None:
    rows = blobs(counts)
    model = fit(request_of(rows, len(counts), hyperparameters={"max_rows": 100, "class_weight": "balanced"}))
    probabilities = model.predict(rows.features)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    often = np.argmax(counts)
    assert probabilities[rows.target == often].mean(axis=0).argmax() == often


def test_probabilities_are_calibrated(train: Train) -> None:
    tree = train(mixed(2000), "svm")
    rows = tree.parts["test"]
    probabilities = tree.predict(rows)["probabilities"][:, 1]
    truth = np.array([tree.data.values("outcome")[row] for row in rows])
    # the calibration error: how far shares and probabilities lie apart, in four groups
    groups = np.digitize(probabilities, [0.25, 0.5, 0.75])
    gaps = [abs((truth - probabilities)[groups == group].sum()) for group in range(4)]
    assert sum(gaps) / len(rows) < 0.05


def test_far_from_all_it_has_seen_it_still_answers_with_probabilities(train: Train) -> None:
    for kernel in ("rbf", "poly", "linear"):
        tree = train(builtin("wine"), "svm", hyperparameters={"kernel": kernel, "degree": 6})
        inputs = tree.inputs(tree.parts["test"][:2])
        inputs["numeric"] = np.where([[True], [False]], 1e300, -1e300) * np.ones_like(inputs["numeric"])
        assert tree.run(inputs)["probabilities"].sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_linear_kernel_is_as_small_as_a_linear_model(train: Train) -> None:
    sizes = {
        kernel: train(builtin("breast_cancer"), "svm", hyperparameters={"kernel": kernel}).manifest.placement
        for kernel in ("rbf", "linear")
    }
    assert sizes["linear"]["model_bytes"] < 3000 < sizes["rbf"]["model_bytes"]


def test_a_tube_around_all_rows_answers_with_its_middle(train: Train) -> None:
    data = builtin("diabetes")
    tree = train(data, "svm", hyperparameters={"epsilon": 10})
    values = tree.predict(tree.parts["test"])["value"]
    assert np.ptp(values) == 0
    assert tree.manifest.parity["passed"]


def test_it_stops_when_the_time_is_up() -> None:
    request = request_of(blobs([300, 300, 300]), 3, seconds=0.0)
    with pytest.raises(TrainingFailure, match="not finished: 1 of 3 classes took"):
        fit(request)


@pytest.mark.parametrize("algorithm", ["linear", "svm", "decision_tree", "random_forest", "gradient_boosting"])
def test_balanced_classes_find_more_of_the_rare_one(train: Train, algorithm: str) -> None:
    recall = {
        weight: train(imbalanced(), algorithm, hyperparameters={"class_weight": weight}).manifest.metrics["test"][
            "per_class"
        ]["rare"]["recall"]
        for weight in ("none", "balanced")
    }
    assert recall["balanced"] > recall["none"]


def imbalanced(rows: int = 1500) -> Data:
    """A rare class in the middle of the frequent one."""
    random = np.random.default_rng(0)
    points = random.normal(size=(rows, 2))
    rare = random.random(rows) < 0.4 * np.exp(-2 * np.square(points - [1, 0]).sum(axis=1))
    labels = np.where(rare, "rare", "often").tolist()
    columns: Any = {name: ("number", points[:, place].tolist()) for place, name in enumerate("ab")}
    return Data({**columns, "target": ("category", labels)}, "target", "binary")
