"""One forecaster with the best hyper-parameters that a search finds, by the validation origins."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from modelmill.jobs.spec import TrainingSpec
from modelmill_training import tuning
from modelmill_training.progress import Progress
from modelmill_training.timeseries.metrics import evaluate
from modelmill_training.timeseries.prepare import Prepared
from modelmill_training.timeseries.trained import Trained, finish, fit


def train_tuned(
    prepared: Prepared, spec: TrainingSpec, algorithm: str, given: dict[str, Any], progress: Progress
) -> Trained:
    """Search as `spec.tuning` says, then train the best.

    Raises:
        TrainingFailure: every trial failed, or what `fit` and `finish` raise.
    """
    progress.algorithm = algorithm
    found = tuning.search(spec, algorithm, given, _Objective(prepared, spec, algorithm), progress)
    trained = finish(prepared, spec, fit(prepared, spec.seed, algorithm, found.hyperparameters, progress), progress)
    return replace(trained, report=trained.report | {"tuning": found.report}, tuning=found.summary)


@dataclass(frozen=True, slots=True)
class _Objective:
    """See `tuning.Objective`."""

    prepared: Prepared
    spec: TrainingSpec
    algorithm: str

    def __call__(
        self, hyperparameters: dict[str, Any], report: Callable[[int, float], None], progress: Progress
    ) -> float:
        fitted = fit(self.prepared, self.spec.seed, self.algorithm, hyperparameters, progress, report=report)
        hyperparameters |= fitted.request.hyperparameters
        windows = self.prepared.parts.validation
        return tuning.score(self.spec, evaluate(windows.truth, fitted.validation, windows.naive_error))
