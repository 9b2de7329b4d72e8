"""Ensembles of trees as one ONNX node, written from arrays: a forest of a million nodes takes under a second."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill_training.data import Floats, Integers
from modelmill_training.onnx_graph import ML_DOMAIN, GraphBuilder, singles


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree by arrays over its nodes.

    left, right: the children; a leaf's are not read.
    feature, threshold: go left where features[feature] <= threshold.
    leaf: whether it is one.
    values: [nodes, outputs], read at leaves; added over all trees.
    """

    left: Integers
    right: Integers
    feature: Integers
    threshold: Floats
    leaf: NDArray[np.bool_]
    values: Floats

    @property
    def nodes(self) -> int:
        """How many."""
        return len(self.leaf)


def tree_of(structure: Any, *, classification: bool) -> Tree:
    """The arrays behind a tree of scikit-learn, its `tree_`; a classifier's values become shares of the classes."""
    values = structure.value[:, 0, :]
    if classification:
        values = values / values.sum(axis=1, keepdims=True)
    return Tree(
        left=structure.children_left,
        right=structure.children_right,
        feature=structure.feature,
        threshold=structure.threshold,
        leaf=structure.children_left < 0,
        values=values,
    )


def write_trees(builder: GraphBuilder, features: str, trees: Sequence[Tree], base: Floats | None = None) -> str:
    """Append the sum of all trees' values and `base` [outputs]: the name of [N, outputs] floats.

    ONNX ML's TreeEnsembleRegressor serves for classes too: a leaf then adds to several outputs.
    """
    outputs = trees[0].values.shape[1]
    leaves = [_leaf_values(tree) for tree in trees]
    attributes: dict[str, Any] = {
        "nodes_treeids": _concat([np.full(tree.nodes, number) for number, tree in enumerate(trees)]),
        "nodes_nodeids": _concat([np.arange(tree.nodes) for tree in trees]),
        "nodes_featureids": _concat([np.where(tree.leaf, 0, tree.feature) for tree in trees]),
        "nodes_values": _concat([np.where(tree.leaf, 0, round_down(tree.threshold)) for tree in trees]),
        "nodes_truenodeids": _concat([np.where(tree.leaf, 0, tree.left) for tree in trees]),
        "nodes_falsenodeids": _concat([np.where(tree.leaf, 0, tree.right) for tree in trees]),
        "nodes_modes": np.where(_array([tree.leaf for tree in trees]), "LEAF", "BRANCH_LEQ").tolist(),
        "target_treeids": _concat([np.full(len(part[0]), number) for number, part in enumerate(leaves)]),
        "target_nodeids": _concat([part[0] for part in leaves]),
        "target_ids": _concat([part[1] for part in leaves]),
        "target_weights": _concat([part[2] for part in leaves]),
        "n_targets": outputs,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
    }
    scores = builder.node("TreeEnsembleRegressor", features, domain=ML_DOMAIN, **attributes)
    # Not as base_values, which ONNX Runtime leaves out for an output to which no tree adds anything.
    return scores if base is None else builder.node("Add", scores, builder.constant(singles(base)))


def round_down(thresholds: Floats) -> NDArray[np.float32]:
    """The largest float32 not above: for x in float32, x <= threshold then says the same."""
    singles = np.clip(thresholds, np.finfo(np.float32).min, np.finfo(np.float32).max).astype(np.float32)
    return np.where(singles > thresholds, np.nextafter(singles, np.float32(-np.inf)), singles)


def _leaf_values(tree: Tree) -> tuple[Integers, Integers, Floats]:
    """Node, output and value of all values but zeros; each leaf keeps one, since ONNX Runtime asks for it."""
    leaves = np.flatnonzero(tree.leaf)
    values = tree.values[leaves]
    kept = values != 0
    kept[~kept.any(axis=1), 0] = True
    places, outputs = np.nonzero(kept)
    return leaves[places], outputs, values[places, outputs]


def _concat(parts: list[NDArray[Any]]) -> list[Any]:
    values: list[Any] = _array(parts).tolist()
    return values


def _array(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts)
