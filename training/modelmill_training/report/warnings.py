"""What a person should look at before the model is believed."""

from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from modelmill.models.manifest import Task
from modelmill.models.signature import Feature
from modelmill_training.data import Floats, Integers, Matrix
from modelmill_training.metrics import SCORE, evaluate
from modelmill_training.prepare import Prepared
from modelmill_training.split import Split

FEW_ROWS = 30
LARGE_GAP = 0.1
# A column on which a small tree scores this high leaves nothing for the others to say.
SUSPICIOUS_SCORE = 0.995
MAX_ROWS = 5_000
TREE_DEPTH = 4

type Finding = dict[str, Any]


def small_parts(split: Split) -> list[Finding]:
    """Held-out metrics of few rows are rough."""
    rows = len(split.test)
    if rows >= FEW_ROWS:
        return []
    return [_warning("few_rows", f"only {rows} rows are held out: the metrics are rough; add rows")]


def overfitting(task: Task, metrics: dict[str, dict[str, Any]]) -> list[Finding]:
    """The model knows the rows that it was trained on much better than others."""
    name = SCORE[task]
    train, test = metrics["train"].get(name), metrics["test"].get(name)
    if train is None or test is None or train - test <= LARGE_GAP:
        return []
    text = f"{name} is {train:.3f} on the rows that were trained on and {test:.3f} on others"
    return [_warning("overfitting", f"{text}: add rows, or ask for a simpler or more regularised model")]


def leakage(task: Task, prepared: Prepared, seed: int) -> list[Finding]:
    """Columns that give the target away on their own, which are often known only after it."""
    features = prepared.preprocessing.features
    if len(features) < 2:
        return []
    train = _sample(prepared.split.train, seed)
    test = _sample(np.concatenate([prepared.split.validation, prepared.split.test]), seed)
    values, labels, metric = prepared.target.values, prepared.target.labels, SCORE[task]
    learned, asked = (prepared.rows(rows, scaled=False).features for rows in (train, test))
    found = []
    for feature, place in _places(features, prepared.preprocessing.vocabularies):
        scores = _alone(learned[:, place], values[train], asked[:, place], prepared.classes)
        score = evaluate(values[test], scores, labels).get(metric)
        if score is not None and score >= SUSPICIOUS_SCORE:
            text = f"column {feature.name!r} predicts the target alone ({metric} {score:.3f})"
            found.append(_warning("leakage", f"{text}: leave it out if it is not known when you predict", feature.name))
    return found


def _alone(learned: Matrix, target: Floats | Integers, asked: Matrix, classes: int) -> Floats:
    """Scores of a small tree."""
    if not classes:
        fitted = DecisionTreeRegressor(max_depth=TREE_DEPTH, random_state=0).fit(learned, target)
        return np.asarray(fitted.predict(asked), np.float64).reshape(-1, 1)
    fitted = DecisionTreeClassifier(max_depth=TREE_DEPTH, random_state=0).fit(learned, target)
    scores = np.zeros((len(asked), classes))
    scores[:, fitted.classes_] = fitted.predict_proba(asked)
    return scores


def _places(features: list[Feature], vocabularies: list[list[str]]) -> list[tuple[Feature, slice]]:
    """Where in the matrix the features of each column lie: numbers first, then categories."""
    numeric = [feature for feature in features if feature.input == "numeric"]
    others = [feature for feature in features if feature.input == "categorical"]
    widths = [feature.width for feature in numeric] + [len(vocabulary) for vocabulary in vocabularies]
    ends = np.cumsum(widths).tolist()
    return [
        (feature, slice(end - width, end)) for feature, width, end in zip(numeric + others, widths, ends, strict=True)
    ]


def _sample(rows: Integers, seed: int) -> Integers:
    if len(rows) <= MAX_ROWS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MAX_ROWS, replace=False))


def _warning(code: str, message: str, column: str | None = None) -> Finding:
    return {"code": code, "message": message} | ({"column": column} if column else {})
