"""The strength of pruning that the validation rows choose, held against every tree that there is to choose from."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from modelmill_training.tabular.algorithms import Request, Rows
from modelmill_training.tabular.algorithms.decision_tree import fit
from tests.ml_tree import builtin, mixed
from tests.training.conftest import Train

GIVEN = {"criterion": "gini", "max_depth": None, "min_samples_leaf": 3, "ccp_alpha": None, "class_weight": "none"}


def points(rows: int, classes: int, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    features = random.normal(size=(rows, 4)).astype(np.float32)
    value = np.sin(features[:, 0]) + 0.5 * features[:, 1] + random.normal(0, 0.4, rows)
    if not classes:
        return Rows(features, value)
    return Rows(features, np.digitize(value, np.linspace(-0.8, 1.2, classes - 1)).astype(np.int64))


@pytest.mark.parametrize(("classes", "weight"), [(0, "none"), (2, "none"), (2, "balanced"), (4, "none")])
def test_no_other_strength_predicts_the_validation_rows_better(classes: int, weight: str) -> None:
    # given a request, and all pruned trees of scikit-learn
    train, validation = points(400, classes, 0), points(150, classes, 1)
    given = {**GIVEN, "class_weight": weight}
    request = Request(train, validation, "regression", classes, given, seed=7, max_bytes=10**6)
    common: dict[str, Any] = {"min_samples_leaf": 3, "random_state": 7}
    balance = weight if weight == "balanced" else None
    tree = DecisionTreeClassifier(class_weight=balance, **common) if classes else DecisionTreeRegressor(**common)
    path = tree.cost_complexity_pruning_path(train.features, train.target).ccp_alphas
    frequencies = np.bincount(train.target)[validation.target] if balance else np.ones(150)

    def loss(scores: np.ndarray) -> float:
        truth = np.eye(classes)[validation.target] if classes else validation.target[:, None]
        return float((np.square(scores - truth).sum(axis=1) / frequencies).sum())

    def scores_at(alpha: float) -> np.ndarray:
        fitted = clone(tree).set_params(ccp_alpha=alpha).fit(train.features, train.target)
        predicted = fitted.predict_proba if classes else fitted.predict
        return np.asarray(predicted(validation.features)).reshape(150, -1)

    # when the validation rows choose
    model = fit(request)

    # then none of the trees has a smaller loss, and the manifest's strength leads to the chosen one
    losses = [loss(scores_at(alpha * (1 + 1e-9))) for alpha in path]
    assert loss(model.predict(validation.features)) == pytest.approx(min(losses))
    assert min(losses) < losses[0]
    assert 0 < given["ccp_alpha"] < path[-1]
    assert model.predict(validation.features) == pytest.approx(scores_at(given["ccp_alpha"]))


def test_where_nothing_can_be_learned_a_single_leaf_is_left() -> None:
    noise = np.random.default_rng(0)
    train, validation = (Rows(noise.normal(size=(200, 2)).astype(np.float32), noise.normal(size=200)) for _ in range(2))
    model = fit(Request(train, validation, "regression", 0, dict(GIVEN), seed=7, max_bytes=10**6))
    assert np.ptp(model.predict(validation.features)) < 0.2


def test_a_pruned_tree_predicts_better_than_a_full_one(train: Train) -> None:
    for data, metric in ((builtin("diabetes"), "r2"), (mixed(), "roc_auc")):
        pruned = train(data, "decision_tree").manifest
        full = train(data, "decision_tree", hyperparameters={"ccp_alpha": 0}).manifest
        assert pruned.metrics["test"][metric] > full.metrics["test"][metric] + 0.05
        assert pruned.files["model.onnx"].bytes < full.files["model.onnx"].bytes
        assert pruned.spec["hyperparameters"]["ccp_alpha"] > 0
