"""Columns that give the target away."""

from collections.abc import Iterator

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from modelmill.models.manifest import Task
from modelmill.models.signature import Feature
from modelmill_training.data import Floats, Integers, Matrix
from modelmill_training.metrics import SCORE, evaluate
from modelmill_training.report.warnings import Finding, warning
from modelmill_training.split import sample
from modelmill_training.tabular.prepare import Prepared

# A column on which a simple model scores this high leaves nothing for the others to say.
SUSPICIOUS_SCORE = 0.995
MAX_ROWS = 5_000
TREE_DEPTH = 4


def leakage(task: Task, prepared: Prepared, seed: int) -> list[Finding]:
    """Columns that give the target away on their own, which are often known only after it."""
    features = prepared.preprocessing.features
    if len(features) < 2:
        return []
    train = sample(prepared.split.train, MAX_ROWS, seed)
    test = sample(np.concatenate([prepared.split.validation, prepared.split.test]), MAX_ROWS, seed)
    values, labels, metric = prepared.target.values, prepared.target.labels, SCORE[task]
    learned, asked = (prepared.rows(rows, scaled=False).features for rows in (train, test))
    found = []
    for feature, place in _places(features, prepared.preprocessing.vocabularies):
        score = max(
            evaluate(values[test], scores, labels).get(metric) or 0.0
            for scores in _alone(learned[:, place], values[train], asked[:, place], prepared.classes)
        )
        if score >= SUSPICIOUS_SCORE:
            text = f"column {feature.name!r} predicts the target alone ({metric} {score:.3f})"
            found.append(warning("leakage", f"{text}: leave it out if it is not known when you predict", feature.name))
    return found


def _alone(
    learned: Matrix | Floats, target: Floats | Integers, asked: Matrix | Floats, classes: int
) -> Iterator[Floats]:
    """Scores of a small tree; of numbers, those of a straight line and of a tree as large as it takes."""
    if not classes:
        # In single precision the squares of large numbers would overflow.
        learned, asked = learned.astype(np.float64), asked.astype(np.float64)
        for estimator in (LinearRegression(), DecisionTreeRegressor(random_state=0)):
            yield np.asarray(estimator.fit(learned, target).predict(asked), np.float64).reshape(-1, 1)
        return
    fitted = DecisionTreeClassifier(max_depth=TREE_DEPTH, random_state=0).fit(learned, target)
    scores = np.zeros((len(asked), classes))
    scores[:, fitted.classes_] = fitted.predict_proba(asked)
    yield scores


def _places(features: list[Feature], vocabularies: list[list[str]]) -> list[tuple[Feature, slice]]:
    """Where in the matrix the features of each column lie: numbers first, then categories."""
    numeric = [feature for feature in features if feature.input == "numeric"]
    others = [feature for feature in features if feature.input == "categorical"]
    widths = [feature.width for feature in numeric] + [len(vocabulary) for vocabulary in vocabularies]
    ends = np.cumsum(widths).tolist()
    return [
        (feature, slice(end - width, end)) for feature, width, end in zip(numeric + others, widths, ends, strict=True)
    ]
