"""One algorithm with the best hyper-parameters that a search finds, by the validation part."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from modelmill.jobs.spec import TrainingSpec
from modelmill_training import tuning
from modelmill_training.classifier import Samples
from modelmill_training.classifier.trained import Trained, finish, fit
from modelmill_training.metrics import evaluate
from modelmill_training.progress import Progress


def train_tuned(
    samples: Samples, spec: TrainingSpec, algorithm: str, given: dict[str, Any], progress: Progress
) -> Trained:
    """Search as `spec.tuning` says, then train the best.

    Raises:
        TrainingFailure: every trial failed, or what `fit` and `finish` raise.
    """
    progress.algorithm = algorithm
    found = tuning.search(spec, algorithm, given, _Objective(samples, spec, algorithm), progress)
    trained = finish(samples, spec, fit(samples, spec, algorithm, found.hyperparameters, progress), progress)
    return replace(trained, report=trained.report | {"tuning": found.report}, tuning=found.summary)


@dataclass(frozen=True, slots=True)
class _Objective:
    """See `tuning.Objective`."""

    samples: Samples
    spec: TrainingSpec
    algorithm: str

    def __call__(
        self, hyperparameters: dict[str, Any], report: Callable[[int, float], None], progress: Progress
    ) -> float:
        samples = self.samples
        fitted = fit(samples, self.spec, self.algorithm, hyperparameters, progress, report=report)
        hyperparameters |= fitted.request.hyperparameters
        metrics = evaluate(samples.target[samples.split.validation], fitted.validation, samples.labels)
        return tuning.score(self.spec, metrics)
