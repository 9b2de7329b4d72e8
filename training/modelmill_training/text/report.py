"""The numbers of a report on a text model."""

from typing import Any

from modelmill.jobs.spec import TrainingSpec
from modelmill_training.data import Floats, Integers
from modelmill_training.report import curves
from modelmill_training.report.warnings import Finding, overfitting, small_parts, warning
from modelmill_training.text.prepare import MAX_EXAMPLES, Texts

MAX_CHARACTERS = 80
MAX_MISTAKES = 20
MISTAKE_CHARACTERS = 300


def build(
    spec: TrainingSpec,
    algorithm: str,
    texts: Texts,
    metrics: dict[str, dict[str, Any]],
    curve: list[dict[str, Any]],
    test: tuple[Integers, Floats],
) -> dict[str, Any]:
    """The report, JSON-ready; `test` are the held-out rows and their probabilities [N, classes]."""
    rows, scores = test
    return {
        "task": spec.task,
        "algorithm": algorithm,
        "labels": texts.labels,
        "rows": texts.split.to_dict() | {"drawn": len(rows)},
        "metrics": metrics,
        "warnings": [*small_parts(texts.split), *overfitting(spec.task, metrics), *_conflicts(texts)],
        "learning_curve": curve,
        "mistakes": _mistakes(texts, rows, scores),
        **curves.all_curves(texts.target[rows], scores, texts.labels),
    }


def _conflicts(texts: Texts) -> list[Finding]:
    if not texts.conflicting:
        return []
    shown = "; ".join(repr(text[:MAX_CHARACTERS]) for text in texts.conflicting[:MAX_EXAMPLES])
    count = len(texts.conflicting)
    what = "text occurs" if count == 1 else "texts occur"
    return [warning("conflicting_labels", f"{count} {what} with more than one label, such as {shown}: correct them")]


def _mistakes(texts: Texts, rows: Integers, scores: Floats) -> list[dict[str, Any]]:
    """The held-out texts that the model is surest of and wrong about."""
    truth, predicted = texts.target[rows], scores.argmax(axis=1)
    wrong = sorted(
        (place for place in range(len(rows)) if truth[place] != predicted[place]), key=lambda p: -scores[p].max()
    )
    return [
        {
            "row": int(texts.present_rows[rows[place]]),
            "text": texts.texts[rows[place]][:MISTAKE_CHARACTERS],
            "label": texts.labels[truth[place]],
            "predicted": texts.labels[predicted[place]],
            "probability": float(scores[place].max()),
        }
        for place in wrong[:MAX_MISTAKES]
    ]
