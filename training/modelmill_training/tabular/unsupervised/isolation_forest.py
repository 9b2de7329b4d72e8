"""Isolation forests (https://doi.org/10.1109/ICDM.2008.17): what few random cuts set apart is strange."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest

from modelmill_training.bundle import check_size
from modelmill_training.data import Floats, Integers, Matrix
from modelmill_training.onnx_graph import GraphBuilder, singles
from modelmill_training.parity import Outputs
from modelmill_training.tabular.algorithms.random_forest import LEAF_BYTES, NODE_BYTES
from modelmill_training.tabular.algorithms.trees import Tree, write_trees
from modelmill_training.tabular.unsupervised import Request
from modelmill_training.tabular.unsupervised.anomalies import Detector, detector

SCALED = False
LIBRARIES = ("scikit-learn",)

USUAL_SAMPLES = 256


@dataclass(frozen=True, slots=True)
class Forest:
    """A fitted forest; scores lie in (0, 1]."""

    estimator: IsolationForest

    @property
    def code_size(self) -> None:
        """See `Scorer`."""
        return

    def predict(self, features: Matrix) -> Outputs:
        """See `Scorer`."""
        return {"score": -self.estimator.score_samples(features)}

    def write(self, builder: GraphBuilder, features: str) -> str:
        """See `Scorer`: 2 to the power of minus the mean depth, in units of the depth expected of such a tree."""
        depths = write_trees(builder, features, self.trees())
        flat = builder.node("Reshape", depths, builder.constant(np.array([-1])))
        return builder.node("Exp", builder.node("Mul", flat, builder.constant(singles(-np.log(2)))))

    def trees(self) -> list[Tree]:
        """The trees, whose values add up to the exponent."""
        members = zip(self.estimator.estimators_, self.estimator.estimators_features_, strict=True)
        expected = expected_depth(np.array([self.estimator.max_samples_]))[0]
        unit = 1 / (expected * len(self.estimator.estimators_))
        return [_tree(member.tree_, features, unit) for member, features in members]


def fit(request: Request) -> Detector:
    """See `Builder`.

    Raises:
        ModelTooLarge: the forest would be.
    """
    given = request.hyperparameters
    given["max_samples"] = min(given["max_samples"] or USUAL_SAMPLES, len(request.train))
    _check_growth(request)
    forest = Forest(_forest(request, given["trees"]))
    return detector(forest, request.train, given["quantile"])


def expected_depth(rows: Integers) -> Floats:
    """Mean depth at which a random tree of so many rows sets one of them apart (equation 1 of the paper)."""
    many = np.maximum(rows, 3).astype(np.float64)
    depth = 2 * (np.log(many - 1) + np.euler_gamma) - 2 * (many - 1) / many
    return np.select([rows <= 1, rows == 2], [0.0, 1.0], depth)


def _forest(request: Request, trees: int) -> IsolationForest:
    given = request.hyperparameters
    estimator = IsolationForest(
        n_estimators=trees,
        max_samples=given["max_samples"],
        max_features=given["max_features"],
        random_state=request.seed,
    )
    return estimator.fit(request.train)


def _check_growth(request: Request) -> None:
    """Do not grow a forest that would be too large, by the size of its first tree."""
    (first,) = _forest(request, 1).estimators_
    size = first.tree_.node_count * NODE_BYTES + first.tree_.n_leaves * LEAF_BYTES
    check_size("isolation_forest", size * request.hyperparameters["trees"], request.max_bytes)


def _tree(structure: Any, features: Integers, unit: float) -> Tree:
    leaf = structure.children_left < 0
    depths = _depths(structure) + expected_depth(structure.n_node_samples)
    return Tree(
        left=structure.children_left,
        right=structure.children_right,
        feature=features[structure.feature],
        threshold=structure.threshold,
        leaf=leaf,
        values=(depths * unit)[:, None],
    )


def _depths(structure: Any) -> Integers:
    """[nodes] how many cuts lead to each; a parent comes before its children."""
    depths = np.zeros(structure.node_count, dtype=np.int64)
    for node in np.flatnonzero(structure.children_left >= 0):
        depths[[structure.children_left[node], structure.children_right[node]]] = depths[node] + 1
    return depths
