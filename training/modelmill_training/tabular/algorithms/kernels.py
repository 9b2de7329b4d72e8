"""Kernels of support vector machines, alike in numpy and ONNX: in double, since squared distances cancel in single."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from modelmill_training.data import Floats, Matrix
from modelmill_training.onnx_graph import DOUBLE, GraphBuilder, doubles

KernelName = Literal["rbf", "poly"]


@dataclass(frozen=True, slots=True)
class Kernel:
    """How alike rows are to each of the support vectors [S, width], as scikit-learn defines it.

    rbf: exp(-gamma |x - s|²); poly: (gamma x·s + coef0) ^ degree.
    """

    name: KernelName
    support: Matrix
    gamma: float
    coef0: float
    degree: int

    def __call__(self, rows: Matrix) -> Floats:
        """[N, S] for rows [N, width]."""
        values, support = rows.astype(np.float64), self.support.astype(np.float64)
        products = (self.gamma * values) @ support.T
        if self.name == "poly":
            return np.asarray((products + self.coef0) ** self.degree, dtype=np.float64)
        own = self.gamma * np.square(values).sum(axis=1, keepdims=True)
        return np.asarray(np.exp(2 * products - self._squares(support) - own), dtype=np.float64)

    def write(self, builder: GraphBuilder, rows: str) -> str:
        """Append the same for double rows: the name of [N, S] doubles."""
        # Features are floats, so that the vectors lose nothing by being stored as such.
        support = builder.cast(builder.constant(np.ascontiguousarray(self.support.T)), DOUBLE)
        weighed = builder.node("Mul", rows, builder.constant(doubles(self.gamma)))
        if self.name == "poly":
            products = builder.node("MatMul", weighed, support)
            shifted = builder.node("Add", products, builder.constant(doubles(self.coef0)))
            return builder.node("Pow", shifted, builder.constant(doubles(self.degree)))
        doubled = builder.node("MatMul", builder.node("Add", weighed, weighed), support)
        near = builder.node("Sub", doubled, builder.constant(self._squares(self.support.astype(np.float64))))
        own = builder.node("ReduceSum", builder.node("Mul", weighed, rows), builder.constant(np.array([1])), keepdims=1)
        return builder.node("Exp", builder.node("Sub", near, own))

    def _squares(self, support: Floats) -> Floats:
        return np.asarray(self.gamma * np.square(support).sum(axis=1), dtype=np.float64)
