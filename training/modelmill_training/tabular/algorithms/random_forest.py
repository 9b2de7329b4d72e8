"""Random forests whose size follows the number of rows, so that they stay servable."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from modelmill_training.bundle import check_size
from modelmill_training.data import Floats, Matrix
from modelmill_training.onnx_graph import GraphBuilder
from modelmill_training.tabular.algorithms import Model, Request
from modelmill_training.tabular.algorithms.trees import Tree, tree_of, write_trees

SCALED = False
STANDARDISED_TARGET = False
COSTLY_ROWS = 200_000
LIBRARIES = ("scikit-learn",)

# Up to here the defaults are scikit-learn's; a tree then has at most about 13,000 nodes however many rows there are.
ROWS_FOR_FULL_TREES = 10_000
TREES_BY_ROWS = ((50_000, 100), (200_000, 50), (math.inf, 30))

# The least that a node, and besides it a leaf, takes in the serialized graph.
NODE_BYTES = 20
LEAF_BYTES = 8

# Progress is told this many times.
STEPS = 10


@dataclass(frozen=True, slots=True)
class Forest:
    """A fitted forest."""

    estimator: Any
    classification: bool

    def predict(self, features: Matrix) -> Floats:
        """See `Model`."""
        if self.classification:
            return np.asarray(self.estimator.predict_proba(features), dtype=np.float64)
        return np.asarray(self.estimator.predict(features), dtype=np.float64)[:, None]

    def trees(self) -> list[Tree]:
        """The trees, each value divided by their number."""
        members = self.estimator.estimators_
        grown = (tree_of(member.tree_, classification=self.classification) for member in members)
        return [replace(tree, values=tree.values / len(members)) for tree in grown]

    def write(self, builder: GraphBuilder, features: str) -> str:
        """See `Model`."""
        return write_trees(builder, features, self.trees())


def fit(request: Request) -> Model:
    """See `Builder`."""
    rows = len(request.train.target)
    given = request.hyperparameters
    given["trees"] = given["trees"] or next(trees for limit, trees in TREES_BY_ROWS if rows <= limit)
    given["min_samples_leaf"] = given["min_samples_leaf"] or max(1, math.ceil(rows / ROWS_FOR_FULL_TREES))
    given["max_features"] = given["max_features"] or ("sqrt" if request.classes else "all")
    estimator = _estimator(request, rows)
    for step in range(1, STEPS + 1):
        estimator.set_params(n_estimators=math.ceil(given["trees"] * step / STEPS))
        estimator.fit(request.train.features, request.train.target)
        request.progress.report("fit", estimator.n_estimators, given["trees"])
        _check_growth(estimator, request)
        request.report_stage(step, Forest(estimator, classification=bool(request.classes)))
    # Sums over trees in threads differ in their last bits from run to run.
    estimator.set_params(n_jobs=1)
    return Forest(estimator, classification=bool(request.classes))


def _estimator(request: Request, rows: int) -> Any:
    given = request.hyperparameters
    common = {
        "max_depth": given["max_depth"],
        "min_samples_leaf": given["min_samples_leaf"],
        "max_features": None if given["max_features"] == "all" else given["max_features"],
        "max_samples": COSTLY_ROWS if rows > COSTLY_ROWS else None,
        "n_jobs": -1,
        "random_state": request.seed,
        "warm_start": True,
    }
    if not request.classes:
        return RandomForestRegressor(**common)
    return RandomForestClassifier(class_weight=_class_weights(request), **common)


def _class_weights(request: Request) -> dict[int, float] | None:
    """As numbers, since scikit-learn warns of the word "balanced" when a forest grows in steps."""
    if request.hyperparameters["class_weight"] != "balanced":
        return None
    counts = np.bincount(request.train.target.astype(np.int64), minlength=request.classes)
    return {place: float(counts.sum() / (request.classes * count)) for place, count in enumerate(counts)}


def _check_growth(estimator: Any, request: Request) -> None:
    """Do not grow a forest that is too large already."""
    trees = [member.tree_ for member in estimator.estimators_]
    grown = sum(tree.node_count * NODE_BYTES + tree.n_leaves * LEAF_BYTES for tree in trees)
    check_size("random_forest", grown * request.hyperparameters["trees"] // len(trees), request.max_bytes)
