"""From a trained classifier to what the manifest tells."""

from typing import Any

from modelmill.jobs.catalogue import AUTO
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.signature import Signature
from modelmill_training.classifier import Samples
from modelmill_training.classifier.trained import Trained, train
from modelmill_training.outcome import Outcome
from modelmill_training.progress import Progress


def train_any(samples: Samples, spec: TrainingSpec, progress: Progress) -> Trained:
    """What the spec asks for, or the best of several.

    Raises:
        TrainingFailure: it cannot be trained.
    """
    if spec.algorithm == AUTO:
        from modelmill_training.classifier.auto import choose  # a single algorithm does not need it

        return choose(samples, spec, progress)
    if spec.tuning is not None:
        from modelmill_training.classifier.tuned import train_tuned  # imports Optuna

        return train_tuned(samples, spec, spec.algorithm, spec.hyperparameters, progress)
    return train(samples, spec, progress)


def outcome_of(
    samples: Samples, trained: Trained, signature: Signature, left_out: dict[str, int], **more: Any
) -> Outcome:
    """The outcome; `more` are the fields that only some kinds have."""
    return Outcome(
        algorithm=trained.algorithm,
        hyperparameters=trained.hyperparameters,
        graph=trained.graph,
        exam=trained.exam,
        signature=signature,
        labels=samples.labels or None,
        metrics=trained.metrics,
        parity=trained.parity,
        placement=trained.placement,
        reference=trained.reference,
        report=trained.report,
        libraries=trained.libraries,
        split=samples.split,
        present_rows=samples.present_rows,
        left_out=left_out,
        leaderboard=trained.leaderboard,
        tuning=trained.tuning,
        **more,
    )
