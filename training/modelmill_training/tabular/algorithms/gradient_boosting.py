"""Gradient boosted trees on histograms."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from modelmill_training.data import Floats, Matrix
from modelmill_training.onnx_graph import GraphBuilder, singles
from modelmill_training.tabular.algorithms import Model, Request
from modelmill_training.tabular.algorithms.trees import Tree, write_trees

SCALED = False
STANDARDISED_TARGET = False
COSTLY_ROWS = math.inf
LIBRARIES = ("scikit-learn",)

LEAF_ROWS = 20
LEAVES_AT_LEAST = 20

# Where somebody wants to know how it gets on, which costs a little time.
STAGES = 5


@dataclass(frozen=True, slots=True)
class BoostedTrees:
    """A fitted ensemble."""

    estimator: Any
    classes: int

    def predict(self, features: Matrix) -> Floats:
        """See `Model`."""
        if self.classes:
            return np.asarray(self.estimator.predict_proba(features), dtype=np.float64)
        return np.asarray(self.estimator.predict(features), dtype=np.float64)[:, None]

    def write(self, builder: GraphBuilder, features: str) -> str:
        """See `Model`."""
        # scikit-learn keeps the trees of a round and the start value in private attributes only.
        base = np.asarray(self.estimator._baseline_prediction, dtype=np.float64).reshape(-1)
        trees = [
            _tree(predictor.nodes, place, len(base))
            for predictors in self.estimator._predictors
            for place, predictor in enumerate(predictors)
        ]
        scores = write_trees(builder, features, trees, base)
        if not self.classes:
            return scores
        if self.classes == 2:
            # One score z: softmax over (0, z) is the logistic function of z.
            widen = builder.constant(singles([[0.0, 1.0]]))
            scores = builder.node("MatMul", scores, widen)
        return builder.node("Softmax", scores, axis=1)


def fit(request: Request) -> Model:
    """See `Builder`."""
    given = request.hyperparameters
    rows = len(request.train.target)
    given["min_samples_leaf"] = given["min_samples_leaf"] or max(1, min(LEAF_ROWS, rows // LEAVES_AT_LEAST))
    request.progress.report("fit", 0, given["max_iter"])
    stages = min(STAGES, given["max_iter"]) if request.report else 1
    estimator = _estimator(request).set_params(warm_start=stages > 1)
    model = BoostedTrees(estimator, request.classes)
    for stage in range(1, stages + 1):
        rounds = math.ceil(given["max_iter"] * stage / stages)
        estimator.set_params(max_iter=rounds)
        estimator.fit(request.train.features, request.train.target)
        request.progress.report("fit", rounds, given["max_iter"])
        request.report_stage(stage, model)
    return model


def _estimator(request: Request) -> Any:
    given = request.hyperparameters
    common = {
        "max_iter": given["max_iter"],
        "learning_rate": given["learning_rate"],
        "max_leaf_nodes": given["max_leaf_nodes"],
        "max_depth": given["max_depth"],
        "min_samples_leaf": given["min_samples_leaf"],
        "l2_regularization": given["l2"],
        "early_stopping": False,
        "random_state": request.seed,
    }
    if not request.classes:
        return HistGradientBoostingRegressor(**common)
    weight = "balanced" if given["class_weight"] == "balanced" else None
    return HistGradientBoostingClassifier(class_weight=weight, **common)


def _tree(nodes: Any, output: int, outputs: int) -> Tree:
    values = np.zeros((len(nodes), outputs))
    values[:, output] = nodes["value"]
    return Tree(
        left=nodes["left"].astype(np.int64),
        right=nodes["right"].astype(np.int64),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"].astype(np.float64),
        leaf=nodes["is_leaf"].astype(bool),
        values=values,
    )
