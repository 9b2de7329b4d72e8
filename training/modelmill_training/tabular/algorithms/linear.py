"""Least squares and logistic regression."""

import math
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

from modelmill_training.data import Floats, Matrix
from modelmill_training.onnx_graph import GraphBuilder, singles
from modelmill_training.tabular.algorithms import Model, Request

SCALED = True
STANDARDISED_TARGET = False
COSTLY_ROWS = math.inf
LIBRARIES = ("scikit-learn",)


@dataclass(frozen=True, slots=True)
class LinearModel:
    """scores = features · weights + intercept; for classes then softmax.

    weights: [width, outputs]; intercept: [outputs].
    """

    weights: Floats
    intercept: Floats
    classification: bool

    def predict(self, features: Matrix) -> Floats:
        """See `Model`."""
        scores: Floats = features.astype(np.float64) @ self.weights + self.intercept
        if not self.classification:
            return scores
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), dtype=np.float64)

    def write(self, builder: GraphBuilder, features: str) -> str:
        """See `Model`."""
        weights, intercept = (builder.constant(singles(array)) for array in (self.weights, self.intercept))
        scores = builder.node("Gemm", features, weights, intercept)
        return builder.node("Softmax", scores, axis=1) if self.classification else scores


def fit(request: Request) -> Model:
    """See `Builder`."""
    request.progress.report("fit", 0, 1)
    model = _logistic(request) if request.classes else _least_squares(request)
    request.progress.report("fit", 1, 1)
    return model


def _least_squares(request: Request) -> LinearModel:
    alpha = request.hyperparameters["alpha"]
    estimator = Ridge(alpha=alpha) if alpha else LinearRegression()
    estimator.fit(request.train.features.astype(np.float64), request.train.target)
    return LinearModel(estimator.coef_.reshape(-1, 1), np.array([float(estimator.intercept_)]), classification=False)


def _logistic(request: Request) -> LinearModel:
    given = request.hyperparameters
    estimator = LogisticRegression(
        C=given["C"],
        max_iter=given["max_iter"],
        class_weight="balanced" if given["class_weight"] == "balanced" else None,
    )
    estimator.fit(request.train.features.astype(np.float64), request.train.target)
    weights, intercept = estimator.coef_.T, estimator.intercept_
    if request.classes == 2:
        # One score z: softmax over (0, z) is the logistic function of z.
        weights, intercept = np.column_stack([np.zeros_like(weights), weights]), np.array([0.0, *intercept])
    return LinearModel(weights, intercept, classification=True)
