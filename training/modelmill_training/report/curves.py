"""Points of curves, few enough to be read by people and programs alike."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

from modelmill_training.data import Floats

MAX_POINTS = 200
BINS = 10

# Of classes more than these no person compares curves.
MAX_CLASSES = 20


def roc(label: str, truth: NDArray[np.bool_], scores: Floats) -> dict[str, Any]:
    """True against false positive rate; both kinds must occur in `truth` [N]."""
    false_positive, true_positive, _ = sk.roc_curve(truth, scores)
    auc = float(sk.roc_auc_score(truth, scores))
    return {"label": label, "auc": auc, "points": _points(false_positive, true_positive)}


def precision_recall(label: str, truth: NDArray[np.bool_], scores: Floats) -> dict[str, Any]:
    """Precision against recall, from the highest threshold on."""
    precision, recall, _ = sk.precision_recall_curve(truth, scores)
    area = float(sk.average_precision_score(truth, scores))
    return {"label": label, "average_precision": area, "points": _points(recall[::-1], precision[::-1])}


def calibration(label: str, truth: NDArray[np.bool_], scores: Floats) -> dict[str, Any]:
    """How often the class occurred among rows to which about the same probability was given."""
    places = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    bins = [places == place for place in range(BINS)]
    return {
        "label": label,
        "bins": [
            {"predicted": float(scores[rows].mean()), "observed": float(truth[rows].mean()), "rows": int(rows.sum())}
            for rows in bins
            if rows.any()
        ],
    }


def residuals(truth: Floats, predicted: Floats) -> dict[str, list[float]]:
    """Truth, prediction and their difference, row by row."""
    return {
        "truth": truth.astype(np.float64).tolist(),
        "predicted": predicted.astype(np.float64).tolist(),
        "residual": (truth - predicted).astype(np.float64).tolist(),
    }


def _points(x: Floats, y: Floats) -> list[list[float]]:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), MAX_POINTS)).round().astype(np.int64))
    points: list[list[float]] = np.column_stack([x[kept], y[kept]]).tolist()
    return points


def all_curves(truth: Any, scores: Floats, labels: list[str] | None) -> dict[str, Any]:
    """What the task has, for rows of `truth` [N] and their scores [N, classes], or [N, 1] of a regression."""
    if labels is None:
        return {"residuals": residuals(truth, scores[:, 0])}
    # Of two classes the second says all.
    places = [1] if len(labels) == 2 else range(len(labels))
    drawn = [(labels[place], truth == place, scores[:, place]) for place in places][:MAX_CLASSES]
    mixed = [entry for entry in drawn if 0 < np.count_nonzero(entry[1]) < len(truth)]
    return {
        "roc": [roc(*entry) for entry in mixed],
        "precision_recall": [precision_recall(*entry) for entry in mixed],
        "calibration": [calibration(*entry) for entry in mixed],
    }
