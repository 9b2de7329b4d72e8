"""The same split, given to plain scikit-learn: the same numbers must come out."""

from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import f1_score, log_loss, mean_squared_error, r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.ml_tree import Tree, builtin
from tests.training.conftest import Train

SEED = 7


def part(tree: Tree, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Features, in the precision that models are fitted on, and target of the train or test rows."""
    rows = tree.parts[name]
    columns = [tree.data.values(feature.name) for feature in tree.manifest.signature.features]
    return np.array(columns, dtype=np.float32).T[rows], np.array(tree.data.values(tree.data.target))[rows]


def scaled(estimator: Any) -> Any:
    return make_pipeline(StandardScaler(), estimator)


def machines(**settings: Any) -> Any:
    """Probabilities of support vector machines as scikit-learn's documentation recommends them."""
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    calibrated = CalibratedClassifierCV(SVC(gamma="auto", tol=1e-5, **settings), ensemble=False, cv=folds)
    return scaled(OneVsRestClassifier(calibrated))


def scaled_target(estimator: Any) -> Any:
    return TransformedTargetRegressor(estimator, transformer=StandardScaler())


CLASSIFIERS = [
    ("linear", {}, scaled(LogisticRegression(max_iter=1000))),
    ("linear", {"C": 0.01, "class_weight": "balanced"}, scaled(LogisticRegression(C=0.01, class_weight="balanced"))),
    ("svm", {}, machines()),
    ("svm", {"C": 10, "gamma": None, "kernel": "poly", "degree": 2}, machines(C=10, kernel="poly", degree=2, coef0=1)),
    ("svm", {"C": 0.1, "kernel": "linear"}, machines(C=0.1, kernel="linear")),
    ("decision_tree", {"ccp_alpha": 0}, DecisionTreeClassifier(random_state=SEED)),
    (
        "decision_tree",
        {"criterion": "entropy", "max_depth": 4, "ccp_alpha": 0.02, "class_weight": "balanced"},
        DecisionTreeClassifier(
            criterion="entropy", max_depth=4, ccp_alpha=0.02, class_weight="balanced", random_state=SEED
        ),
    ),
    ("random_forest", {}, RandomForestClassifier(random_state=SEED)),
    (
        "random_forest",
        {"trees": 30, "max_depth": 3, "class_weight": "balanced"},
        RandomForestClassifier(30, max_depth=3, class_weight="balanced", random_state=SEED),
    ),
    (
        "gradient_boosting",
        {"max_iter": 30, "min_samples_leaf": 10},
        HistGradientBoostingClassifier(max_iter=30, min_samples_leaf=10, early_stopping=False, random_state=SEED),
    ),
]
REGRESSORS = [
    ("linear", {}, LinearRegression()),
    ("linear", {"alpha": 10}, scaled(Ridge(alpha=10))),
    ("svm", {}, scaled_target(scaled(SVR(gamma="auto", tol=1e-5)))),
    (
        "svm",
        {"kernel": "poly", "gamma": 0.01, "coef0": 2, "epsilon": 0.3},
        scaled_target(scaled(SVR(kernel="poly", gamma=0.01, coef0=2, epsilon=0.3, tol=1e-5))),
    ),
    ("svm", {"kernel": "linear", "C": 0.5}, scaled_target(scaled(SVR(kernel="linear", C=0.5, tol=1e-5)))),
    (
        "decision_tree",
        {"ccp_alpha": 0.01, "min_samples_leaf": 3},
        scaled_target(DecisionTreeRegressor(ccp_alpha=0.01, min_samples_leaf=3, random_state=SEED)),
    ),
    ("random_forest", {}, RandomForestRegressor(random_state=SEED)),
    (
        "gradient_boosting",
        {"learning_rate": 0.05, "max_leaf_nodes": 7, "l2": 1, "min_samples_leaf": 20},
        HistGradientBoostingRegressor(
            learning_rate=0.05, max_leaf_nodes=7, l2_regularization=1, early_stopping=False, random_state=SEED
        ),
    ),
]


@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
@pytest.mark.parametrize(("algorithm", "given", "estimator"), CLASSIFIERS)
def test_classification(train: Train, name: str, algorithm: str, given: dict, estimator: Any) -> None:
    tree = train(builtin(name), algorithm, hyperparameters=given, seed=SEED)

    features, target = part(tree, "test")
    probabilities = estimator.fit(*part(tree, "train")).predict_proba(features)

    assert list(estimator.classes_) == tree.manifest.labels
    outputs = tree.predict(tree.parts["test"])
    assert outputs["probabilities"] == pytest.approx(probabilities, abs=2e-4)
    metrics = tree.manifest.metrics["test"]
    assert metrics["log_loss"] == pytest.approx(log_loss(target, probabilities), abs=1e-3)
    predicted = estimator.classes_[probabilities.argmax(axis=1)]
    assert metrics["f1"] == pytest.approx(f1_score(target, predicted, average="macro"))
    scores = probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities
    truth = target == estimator.classes_[1] if probabilities.shape[1] == 2 else target
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(truth, scores, multi_class="ovr"), abs=1e-6)


@pytest.mark.parametrize(("algorithm", "given", "estimator"), REGRESSORS)
def test_regression(train: Train, algorithm: str, given: dict, estimator: Any) -> None:
    tree = train(builtin("diabetes"), algorithm, hyperparameters=given, seed=SEED)

    features, target = part(tree, "test")
    predicted = estimator.fit(*part(tree, "train")).predict(features)

    assert tree.predict(tree.parts["test"])["value"][:, 0] == pytest.approx(predicted, rel=1e-4)
    assert tree.manifest.metrics["test"]["r2"] == pytest.approx(r2_score(target, predicted), abs=1e-5)
    assert tree.manifest.metrics["test"]["mse"] == pytest.approx(mean_squared_error(target, predicted), rel=1e-4)
