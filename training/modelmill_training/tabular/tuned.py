"""One algorithm with the best hyper-parameters that a search finds, trained on the training part as always."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelmill.jobs.metrics import METRICS
from modelmill.jobs.spec import TrainingSpec
from modelmill_training import tuning
from modelmill_training.data import Floats, Integers
from modelmill_training.metrics import evaluate
from modelmill_training.progress import Progress
from modelmill_training.tabular.algorithms import Request, Rows, builder
from modelmill_training.tabular.fitting import fit
from modelmill_training.tabular.folds import FOLDS, fold_numbers, sample_rows
from modelmill_training.tabular.prepare import Prepared
from modelmill_training.tabular.trained import Trained, train

# With fewer training rows the validation part says too little, and folds are cheap.
FEW_ROWS = 1000

# More than any algorithm has within a fold.
STEPS_OF_A_FOLD = 100_000


def train_tuned(
    prepared: Prepared,
    spec: TrainingSpec,
    algorithm: str,
    given: dict[str, Any],
    progress: Progress,
    seconds: float | None = None,
) -> Trained:
    """Search as `spec.tuning` says, then train the best.

    Raises:
        TrainingFailure: every trial failed, or what `train` raises.
    """
    progress.algorithm = algorithm
    rows = sample_rows(prepared, spec.seed)
    found = tuning.search(spec, algorithm, given, _Objective(prepared, spec, algorithm, rows), progress)
    trained = train(prepared, spec, algorithm, found.hyperparameters, progress, seconds)
    return replace(trained, report=trained.report | {"tuning": found.report}, tuning=found.summary)


@dataclass(frozen=True, slots=True)
class _Objective:
    """See `tuning.Objective`; `rows` are what trials learn from."""

    prepared: Prepared
    spec: TrainingSpec
    algorithm: str
    rows: Integers

    def __call__(
        self, hyperparameters: dict[str, Any], report: Callable[[int, float], None], progress: Progress
    ) -> float:
        request = self._request(hyperparameters, report, progress)
        if len(self.rows) < FEW_ROWS:
            return self._cross_validate(request, report)
        return self._score(request.validation.target, fit(self.algorithm, request).predict(request.validation.features))

    def _cross_validate(self, request: Request, report: Callable[[int, float], None]) -> float:
        """The metric over the predictions of all folds."""
        target, features = request.train.target, request.train.features
        numbers = fold_numbers(request.train, request.classes, self.spec.seed)
        scores = np.zeros((len(target), max(1, request.classes)))
        higher = METRICS[self.spec.task][(self.spec.tuning or {})["metric"]]
        for fold in range(FOLDS):
            outside, steps = numbers == fold, _Steps(report, fold * STEPS_OF_A_FOLD)
            if not outside.any():
                continue
            inside = replace(request, train=Rows(features[~outside], target[~outside]), report=steps)
            scores[outside] = fit(self.algorithm, inside).predict(features[outside])
            done = (numbers >= 0) & (numbers <= fold)
            score = self._score(target[done], scores[done])
            if not steps.used:
                report(fold, -score if higher else score)
        return score

    def _score(self, target: Floats | Integers, scores: Floats) -> float:
        return tuning.score(self.spec, evaluate(target, scores, self.prepared.target.labels))

    def _request(
        self, hyperparameters: dict[str, Any], report: Callable[[int, float], None], progress: Progress
    ) -> Request:
        prepared, scaled = self.prepared, builder(self.algorithm).SCALED
        return Request(
            train=prepared.rows(self.rows, scaled=scaled),
            validation=prepared.rows(prepared.split.validation, scaled=scaled),
            task=self.spec.task,
            classes=prepared.classes,
            hyperparameters=hyperparameters,
            seed=self.spec.seed,
            max_bytes=self.spec.max_model_bytes,
            progress=progress,
            report=report,
        )


class _Steps:
    """The steps within one fold, as steps of the trial."""

    def __init__(self, report: Callable[[int, float], None], first: int) -> None:
        self._report, self._first, self.used = report, first, False

    def __call__(self, step: int, loss: float) -> None:
        self.used = True
        self._report(self._first + step, loss)
