"""Cost-complexity pruning, its strength chosen by held-out rows (Breiman, Friedman, Olshen, Stone 1984, chapter 3)."""

import heapq
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill_training.data import Floats, Integers
from modelmill_training.tabular.algorithms.trees import Tree


def choose_alpha(tree: Tree, risk: Floats, loss: Floats) -> float:
    """The `ccp_alpha` of the pruned tree with the least held-out loss, the smallest tree among equals.

    Args:
        tree: grown in full, a node's descendants numbered right after it, as scikit-learn does.
        risk: [nodes] of the training rows, were the node a leaf: its impurity times its share of the rows.
        loss: [nodes] of the held-out rows, were the node a leaf.
    """
    prunings = _Prunings(tree, risk, loss)
    alpha, best, chosen = 0.0, prunings.loss, (0.0, prunings.next_alpha())
    while math.isfinite(prunings.next_alpha()):
        alpha = max(alpha, prunings.next_alpha())
        while prunings.next_alpha() <= alpha:
            prunings.prune()
        if prunings.loss <= best:
            best, chosen = prunings.loss, (alpha, prunings.next_alpha())
    # Between this tree and the next smaller one, so that rounding decides nothing.
    low, high = chosen
    return low and (2 * low if math.isinf(high) else (low + high) / 2)


class _Prunings:
    """A tree that loses one weakest link after the other: the node whose leaves lower the risk least, each."""

    def __init__(self, tree: Tree, risk: Floats, loss: Floats) -> None:
        self._parent = _parents(tree)
        self._size = self._summed(np.ones(tree.nodes, dtype=np.int64))
        self._inner = ~tree.leaf
        self._leaf = np.column_stack([risk, loss, np.ones(tree.nodes)])
        below = np.where(tree.leaf[:, None], self._leaf, 0.0)
        self._below = np.column_stack([self._summed(column) for column in below.T])
        self._queue = [(self._alpha(node), node) for node in np.flatnonzero(self._inner).tolist()]
        heapq.heapify(self._queue)

    @property
    def loss(self) -> float:
        """Of the held-out rows, as pruned so far."""
        return float(self._below[0, 1])

    def next_alpha(self) -> float:
        """From which on the next link goes; infinite when only the root is left."""
        while self._queue and not self._current(*self._queue[0]):
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else math.inf

    def prune(self) -> None:
        """Make the weakest link a leaf."""
        _, node = heapq.heappop(self._queue)
        self._inner[node : node + self._size[node]] = False
        change = self._leaf[node] - self._below[node]
        while node >= 0:
            self._below[node] += change
            if self._inner[node]:
                heapq.heappush(self._queue, (self._alpha(node), node))
            node = int(self._parent[node])

    def _current(self, alpha: float, node: int) -> bool:
        return bool(self._inner[node]) and alpha == self._alpha(node)

    def _alpha(self, node: int) -> float:
        risk, _, leaves = (self._leaf[node] - self._below[node]).tolist()
        return float(risk / -leaves)

    def _summed(self, values: NDArray[Any]) -> NDArray[Any]:
        """Each node's value plus those of all below it."""
        sums = values.copy()
        for node in range(len(sums) - 1, 0, -1):
            sums[self._parent[node]] += sums[node]
        return sums


def _parents(tree: Tree) -> Integers:
    parents = np.full(tree.nodes, -1, dtype=np.int64)
    inner = np.flatnonzero(~tree.leaf)
    parents[tree.left[inner]] = parents[tree.right[inner]] = inner
    return parents
