"""The numbers of a report on a classifier of texts or pictures."""

from typing import Any

from modelmill.jobs.spec import TrainingSpec
from modelmill_training.classifier import Samples
from modelmill_training.data import Floats, Integers
from modelmill_training.report import curves
from modelmill_training.report.warnings import overfitting, small_parts

MAX_MISTAKES = 20


def build(
    spec: TrainingSpec,
    algorithm: str,
    samples: Samples,
    metrics: dict[str, dict[str, Any]],
    curve: list[dict[str, Any]],
    test: tuple[Integers, Floats],
) -> dict[str, Any]:
    """The report, JSON-ready; `test` are the held-out rows and their probabilities [N, classes]."""
    rows, scores = test
    return {
        "task": spec.task,
        "algorithm": algorithm,
        "labels": samples.labels,
        "rows": samples.split.to_dict() | {"drawn": len(rows)},
        "metrics": metrics,
        "warnings": [*small_parts(samples.split), *overfitting(spec.task, metrics), *samples.warnings()],
        "learning_curve": curve,
        "mistakes": _mistakes(samples, rows, scores),
        **curves.all_curves(samples.target[rows], scores, samples.labels),
    }


def _mistakes(samples: Samples, rows: Integers, scores: Floats) -> list[dict[str, Any]]:
    """The held-out items that the model is surest of and wrong about."""
    truth, predicted = samples.target[rows], scores.argmax(axis=1)
    wrong = [place for place in range(len(rows)) if truth[place] != predicted[place]]
    return [
        {
            "row": int(samples.present_rows[rows[place]]),
            **samples.describe(int(rows[place])),
            "label": samples.labels[truth[place]],
            "predicted": samples.labels[predicted[place]],
            "probability": float(scores[place].max()),
        }
        for place in sorted(wrong, key=lambda place: -scores[place].max())[:MAX_MISTAKES]
    ]
