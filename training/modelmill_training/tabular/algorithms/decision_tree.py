"""One decision tree, pruned by what the validation rows say."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from modelmill_training.data import Floats, Matrix
from modelmill_training.onnx_graph import GraphBuilder
from modelmill_training.tabular.algorithms import Model, Request
from modelmill_training.tabular.algorithms.pruning import choose_alpha
from modelmill_training.tabular.algorithms.trees import Tree, tree_of, write_trees

SCALED = False
# So that `ccp_alpha` means the same whatever unit the target has.
STANDARDISED_TARGET = True
COSTLY_ROWS = math.inf
LIBRARIES = ("scikit-learn",)

# A leaf holds at least one row in so many: a tree has at most about twice as many nodes, however many rows there are.
LEAVES_AT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class DecisionTree:
    """A fitted tree."""

    estimator: Any
    classification: bool

    def predict(self, features: Matrix) -> Floats:
        """See `Model`."""
        if self.classification:
            return np.asarray(self.estimator.predict_proba(features), dtype=np.float64)
        return np.asarray(self.estimator.predict(features), dtype=np.float64)[:, None]

    def write(self, builder: GraphBuilder, features: str) -> str:
        """See `Model`."""
        return write_trees(builder, features, [tree_of(self.estimator.tree_, classification=self.classification)])


def fit(request: Request) -> Model:
    """See `Builder`."""
    given = request.hyperparameters
    given["min_samples_leaf"] = given["min_samples_leaf"] or math.ceil(len(request.train.target) / LEAVES_AT_MOST)
    request.progress.report("fit", 0, 1)
    estimator = _grow(request, given["ccp_alpha"] or 0.0)
    if given["ccp_alpha"] is None:
        given["ccp_alpha"] = _choose_alpha(estimator, request)
        if given["ccp_alpha"]:
            estimator = _grow(request, given["ccp_alpha"])
    request.progress.report("fit", 1, 1)
    return DecisionTree(estimator, classification=bool(request.classes))


def _grow(request: Request, alpha: float) -> Any:
    given = request.hyperparameters
    common = {
        "max_depth": given["max_depth"],
        "min_samples_leaf": given["min_samples_leaf"],
        "ccp_alpha": alpha,
        "random_state": request.seed,
    }
    if request.classes:
        weight = "balanced" if given["class_weight"] == "balanced" else None
        estimator = DecisionTreeClassifier(criterion=given["criterion"], class_weight=weight, **common)
    else:
        estimator = DecisionTreeRegressor(**common)
    return estimator.fit(request.train.features, request.train.target)


def _choose_alpha(estimator: Any, request: Request) -> float:
    if len(request.validation.target) == 0:
        return 0.0
    structure = estimator.tree_
    tree = tree_of(structure, classification=bool(request.classes))
    shares = structure.weighted_n_node_samples / structure.weighted_n_node_samples[0]
    paths = estimator.decision_path(request.validation.features)
    return choose_alpha(tree, structure.impurity * shares, _losses(tree, paths, request))


def _losses(tree: Tree, paths: Any, request: Request) -> Floats:
    """[nodes] the squared errors of the validation rows that pass each node, would it answer them with its values.

    Args:
        tree: its values are shares of the classes, or numbers.
        paths: sparse [rows, nodes], 1 where a row passes a node.
        request: classes are weighed as among the training rows.
    """
    target, weights = request.validation.target, _weights(request)
    passed = paths.T.multiply(weights).tocsr()
    rows = passed @ np.ones(len(target))
    if request.classes:
        places = (np.arange(len(target)), target)
        sums = (passed @ csr_array((np.ones(len(target)), places), (len(target), request.classes))).toarray()
        squares = rows
    else:
        sums, squares = passed @ target[:, None], passed @ np.square(target)
    errors = squares - 2 * (sums * tree.values).sum(axis=1) + rows * np.square(tree.values).sum(axis=1)
    return np.asarray(errors, dtype=np.float64)


def _weights(request: Request) -> Floats:
    target = request.validation.target
    if not request.classes or request.hyperparameters["class_weight"] != "balanced":
        return np.ones(len(target))
    counts = np.bincount(request.train.target.astype(np.int64), minlength=request.classes)
    return np.asarray(1.0 / np.maximum(1, counts)[target], dtype=np.float64)
