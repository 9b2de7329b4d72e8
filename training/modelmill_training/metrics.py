"""How good predictions are; what cannot be computed (one class only, one row) is None."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

from modelmill.models.manifest import Task
from modelmill_training.data import Floats, Integers
from modelmill_training.parity import Outputs
from modelmill_training.progress import finite

# More classes would make a manifest that no person reads; the averages stay.
MAX_CLASSES_IN_DETAIL = 50

# The one number by which `auto` ranks, higher is better.
SCORE: dict[Task, str] = {"regression": "r2", "binary": "roc_auc", "multiclass": "f1"}
FALLBACK_SCORE = "accuracy"


def evaluate(target: Floats | Integers, scores: Floats, labels: list[str] | None) -> dict[str, Any]:
    """All metrics of one part; none of a part without rows.

    Args:
        target: [N] values, or class indexes.
        scores: [N, 1] predicted values, or probabilities [N, classes].
        labels: the classes; None for regression.
    """
    if len(target) == 0:
        return {}
    return regression(target, scores[:, 0]) if labels is None else classification(target, scores, labels)


def score(task: Task, target: Floats | Integers, outputs: Outputs, labels: list[str] | None) -> float | None:
    """Of a graph's outputs the metric that SCORE names."""
    scores = outputs["value" if labels is None else "probabilities"].astype(np.float64)
    value: float | None = evaluate(target, scores, labels).get(SCORE[task])
    return value


def regression(target: NDArray[Any], predicted: Floats) -> dict[str, Any]:
    """mse, rmse, mae, r2."""
    mse = float(sk.mean_squared_error(target, predicted))
    return {
        "mse": finite(mse),
        "rmse": finite(mse**0.5),
        "mae": finite(sk.mean_absolute_error(target, predicted)),
        "r2": finite(sk.r2_score(target, predicted)) if np.ptp(target) > 0 else None,
    }


def classification(target: NDArray[Any], probabilities: Floats, labels: list[str]) -> dict[str, Any]:
    """accuracy; precision, recall and f1 as macro averages over the classes seen; roc_auc, log_loss; details."""
    classes = np.arange(len(labels))
    predicted = probabilities.argmax(axis=1)
    seen = np.union1d(target, predicted)
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        target, predicted, labels=classes, zero_division=0.0
    )
    result: dict[str, Any] = {
        "accuracy": finite(np.mean(target == predicted)),
        "precision": finite(precision[seen].mean()),
        "recall": finite(recall[seen].mean()),
        "f1": finite(f1[seen].mean()),
        "roc_auc": roc_auc(target, probabilities),
        "log_loss": log_loss(target, probabilities),
    }
    if len(labels) <= MAX_CLASSES_IN_DETAIL:
        result["confusion_matrix"] = sk.confusion_matrix(target, predicted, labels=classes).tolist()
        result["per_class"] = {
            label: {
                "precision": finite(precision[place]),
                "recall": finite(recall[place]),
                "f1": finite(f1[place]),
                "support": int(support[place]),
            }
            for place, label in enumerate(labels)
        }
    return result


def squared_error(target: NDArray[Any], scores: Floats) -> float:
    """Mean squared error of values [N, 1], or of probabilities [N, classes] summed over the classes (Brier score)."""
    truth = target[:, None] if scores.shape[1] == 1 else np.eye(scores.shape[1])[target]
    return float(np.mean(np.sum((scores - truth) ** 2, axis=1)))


def roc_auc(target: NDArray[Any], probabilities: Floats) -> float | None:
    """Of the second class for two classes, else the macro average of each class against the rest."""
    places = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [
        sk.roc_auc_score(target == place, probabilities[:, place])
        for place in places
        if 0 < np.count_nonzero(target == place) < len(target)
    ]
    return finite(np.mean(areas)) if areas else None


def log_loss(target: NDArray[Any], probabilities: Floats) -> float | None:
    """Mean of -log of the probability given to the truth, clipped at the precision of double."""
    smallest = float(np.finfo(np.float64).eps)
    truth = np.clip(probabilities[np.arange(len(target)), target], smallest, 1.0)
    return finite(-np.mean(np.log(truth)))
