"""SHAP values (https://arxiv.org/abs/1705.07874): what each column adds to the predictions of held-out rows.

Exact for trees and linear models, in what they add up (log-odds for classes where they do); for all others from random
orders of the columns, in what is predicted. A column's value is the sum over the features that are made of it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelmill_training.data import Floats, Integers, Matrix, Numbers, Table
from modelmill_training.lean_imports import imported_whole
from modelmill_training.tabular.algorithms import Model
from modelmill_training.tabular.algorithms.linear import LinearModel
from modelmill_training.tabular.features import Preprocessing
from modelmill_training.tabular.fitting import StandardisedTarget

TREES = frozenset({"decision_tree", "random_forest", "gradient_boosting"})
LOG_ODDS = frozenset({"gradient_boosting", "linear"})

MAX_ROWS = 100
FEWEST_ROWS = 10
BACKGROUND_ROWS = 100
# Each order of the columns asks for predictions of so many rows, for each column twice.
DRAWN_BACKGROUND = 10
MAX_PREDICTIONS = 50_000
# About two seconds: rows times leaves times the square of the depth.
MAX_TREE_STEPS = 6e9

MAX_POINT_COLUMNS = 20


@dataclass(frozen=True, slots=True)
class Explained:
    """A model, and the rows that explain it.

    rows: of the table, whose predictions are explained. background: training rows, what a column is held against.
    labels: of the classes, or None.
    """

    algorithm: str
    model: Model
    preprocessing: Preprocessing
    scaled: bool
    table: Table
    rows: Integers
    background: Integers
    labels: list[str] | None
    seed: int


def explain(given: Explained) -> dict[str, Any] | None:
    """The report's `shap`, JSON-ready; None where there are more columns than time.

    method: `tree`, `linear` or `permutation`. unit: of the values. columns: the mean size of the values, by label where
    there are more than two. points: of regression and two classes, the values [rows] of the most important columns
    beside the column's own, which are None where it holds no single number.
    """
    inner, scale = _inner(given.model)
    method, values = _values(given, inner)
    if values is None:
        return None
    labels = given.labels
    if labels is not None and len(labels) == 2:
        values = values[:, :, -1:]
    values = values * scale
    names = [feature.name for feature in given.preprocessing.features]
    sizes = np.abs(values).mean(axis=0)
    importance = sizes.mean(axis=1)
    order = np.argsort(-importance, kind="stable")
    several = labels is not None and len(labels) > 2
    columns = [
        {"column": names[place], "importance": float(importance[place])}
        | ({"by_label": dict(zip(labels or [], map(float, sizes[place]), strict=True))} if several else {})
        for place in order
    ]
    points = (
        []
        if several
        else [_points(given.table.take(given.rows), names[at], values[:, at, 0]) for at in order[:MAX_POINT_COLUMNS]]
    )
    return {
        "method": method,
        "unit": _unit(given, method),
        "rows": len(values),
        "columns": columns,
        "points": points,
    }


def _inner(model: Model) -> tuple[Model, float]:
    """The model that was fitted, and by what its values are multiplied."""
    if isinstance(model, StandardisedTarget):
        return model.inner, model.scale
    return model, 1.0


def _unit(given: Explained, method: str) -> str:
    if given.labels is None:
        return "value"
    what = "log-odds" if given.algorithm in LOG_ODDS and method != "permutation" else "probability"
    return f"{what} of {given.labels[1]!r}" if len(given.labels) == 2 else what


def _values(given: Explained, model: Model) -> tuple[str, Floats | None]:
    """The method and [rows, columns, outputs]."""
    if isinstance(model, LinearModel):
        return "linear", _by_column(given.preprocessing, _linear_values(given, model))
    if given.algorithm in TREES:
        affordable = int(MAX_TREE_STEPS / _steps_of_a_row(model))
        if affordable >= FEWEST_ROWS:
            rows = given.rows[: min(MAX_ROWS, affordable)]
            return "tree", _by_column(given.preprocessing, _tree_values(model, _matrix(given, rows)))
    return "permutation", _permutation_values(given, model)


def _linear_values(given: Explained, model: LinearModel) -> Floats:
    """[rows, width, outputs]; of two classes the first is the one that the scores leave at zero."""
    with imported_whole("pandas"):
        import shap
    matrix, background = _matrix(given, given.rows[:MAX_ROWS]), _matrix(given, given.background)
    masker = shap.maskers.Independent(background.astype(np.float64), max_samples=BACKGROUND_ROWS)
    outputs = zip(model.weights.T, model.intercept, strict=True)
    values = [shap.LinearExplainer(each, masker).shap_values(matrix.astype(np.float64)) for each in outputs]
    return np.stack(values, axis=2)


def _tree_values(model: Any, matrix: Matrix) -> Floats:
    """[rows, width, outputs] of features [rows, width]"""
    with imported_whole("pandas"):
        import shap
    explainer = shap.TreeExplainer(model.estimator, feature_perturbation="tree_path_dependent")
    values = np.asarray(explainer.shap_values(matrix, check_additivity=False), dtype=np.float64)
    return values if values.ndim == 3 else values[:, :, None]


def _steps_of_a_row(model: Any) -> float:
    """What the values of one row cost: leaves times the square of the depth, over all trees."""
    estimator = model.estimator
    if hasattr(estimator, "_predictors"):
        trees = [tree for trees in estimator._predictors for tree in trees]
        return float(sum(tree.get_n_leaf_nodes() * tree.get_max_depth() ** 2 for tree in trees)) or 1.0
    members = getattr(estimator, "estimators_", [estimator])
    return float(sum(each.tree_.n_leaves * each.tree_.max_depth**2 for each in members)) or 1.0


def _permutation_values(given: Explained, model: Model) -> Floats | None:
    """[rows, columns, outputs]: a row stands for itself by its number in every column, which is what gets mixed."""
    names = [feature.name for feature in given.preprocessing.features]
    evaluations = 2 * len(names) + 1
    rows = given.rows[: min(MAX_ROWS, MAX_PREDICTIONS // (evaluations * DRAWN_BACKGROUND))]
    if len(rows) < min(FEWEST_ROWS, len(given.rows)):
        return None
    with imported_whole("pandas"):
        import shap
    pool = np.concatenate([rows, given.background[:DRAWN_BACKGROUND]])

    def predict(numbers: Integers) -> Floats:
        columns = zip(names, pool[numbers.astype(np.int64)].T, strict=True)
        mixed = {name: given.table.columns[name].take(picked) for name, picked in columns}
        return model.predict(given.preprocessing.matrix(Table(len(numbers), mixed), scaled=given.scaled))

    numbers = np.repeat(np.arange(len(pool), dtype=np.float64)[:, None], len(names), axis=1)
    masker = shap.maskers.Independent(numbers[len(rows) :], max_samples=DRAWN_BACKGROUND)
    explainer = shap.PermutationExplainer(predict, masker, seed=given.seed)
    values = explainer(numbers[: len(rows)], max_evals=evaluations, silent=True).values
    return np.asarray(values, dtype=np.float64).reshape(len(rows), len(names), -1)


def _matrix(given: Explained, rows: Integers) -> Matrix:
    return given.preprocessing.matrix(given.table.take(rows), scaled=given.scaled)


def _by_column(preprocessing: Preprocessing, values: Floats) -> Floats:
    """Sums of [rows, width, outputs] over the features of each column."""
    return np.stack([values[:, places].sum(axis=1) for places in preprocessing.places()], axis=1)


def _points(rows: Table, name: str, values: Floats) -> dict[str, Any]:
    column = rows.columns[name]
    own: list[float | None] = [None] * len(values)
    if isinstance(column, Numbers) and column.values.shape[1] == 1:
        own = [None if np.isnan(value) else _short(value) for value in column.values[: len(values), 0]]
    return {"column": name, "values": list(map(_short, values)), "own": own}


def _short(value: float) -> float:
    """Of six digits: reports hold thousands of them."""
    return float(f"{value:.6g}")
