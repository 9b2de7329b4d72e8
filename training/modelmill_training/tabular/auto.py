"""The choice among algorithms: cross-validation within a time budget, then the winner on all training rows."""

import time
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from modelmill.jobs.catalogue import resolve_hyperparameters
from modelmill.jobs.spec import TrainingSpec
from modelmill_training.clock import Clock, OutOfTime
from modelmill_training.data import Floats, Integers
from modelmill_training.failures import TrainingFailure
from modelmill_training.metrics import FALLBACK_SCORE, SCORE, evaluate
from modelmill_training.progress import Progress
from modelmill_training.tabular.algorithms import Request, Rows, builder
from modelmill_training.tabular.fitting import fit
from modelmill_training.tabular.folds import FOLDS, fold_numbers, sample_rows
from modelmill_training.tabular.prepare import Prepared
from modelmill_training.tabular.trained import Trained, train

# Cheapest first; the first one is always tried to the end, so that the smallest budget still brings something.
CANDIDATES = ("linear", "gradient_boosting", "random_forest", "svm", "mlp")

# Above these, others are as good in less time.
SVM_ROWS = 5000

# Below these, importing TensorFlow costs more than a net can bring.
MLP_ROWS = 1000
MLP_SECONDS = 90.0

# What a candidate may raise when it cannot cope with the data; it must not take the others down.
FAILURES = (TrainingFailure, ValueError, ArithmeticError, RuntimeError, MemoryError, ImportError)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line of the leaderboard; `score` is that of the folds' predictions, None where the rows are too few for it.

    All metrics used are better when they are higher.
    """

    algorithm: str
    status: Literal["done", "dropped"]
    score: float | None
    metric: str
    seconds: float
    reason: str | None = None


def choose(prepared: Prepared, spec: TrainingSpec, progress: Progress) -> Trained:
    """The best candidate, trained on the whole training part, with the leaderboard of all.

    Raises:
        TrainingFailure: none could be trained.
    """
    clock = Clock(min(spec.time_budget_s, spec.hyperparameters["time_budget_s"]))
    contest = _Contest(prepared, spec, sample_rows(prepared, spec.seed), clock, progress)
    board: list[Candidate] = []
    for name in CANDIDATES:
        board.append(contest.enter(name, board))
    return contest.train_best(board)


@dataclass(frozen=True, slots=True)
class _Contest:
    """The candidates' common ground: `rows` are the sample that all are compared on."""

    prepared: Prepared
    spec: TrainingSpec
    rows: Integers
    clock: Clock
    progress: Progress

    def enter(self, name: str, board: list[Candidate]) -> Candidate:
        """Try one candidate after those on the board, and tell what became of it."""
        self.progress.algorithm = name
        leader = min(board, key=_rank, default=None)
        candidate = self._try(name, self._seconds_to_train(leader) if leader else 0.0)
        self.progress.candidate(asdict(candidate))
        return candidate

    def train_best(self, board: list[Candidate]) -> Trained:
        """The first by score that can also be trained on all rows; those that cannot drop out.

        Raises:
            TrainingFailure: none can.
        """
        ranked = sorted((entry for entry in board if entry.status == "done"), key=_rank)
        for entry in ranked:
            try:
                if entry is not ranked[-1]:
                    self.clock.require(self._seconds_to_train(entry), "training on all rows")
                trained = self._train(entry.algorithm)
            except FAILURES as error:
                board[board.index(entry)] = dropped = replace(entry, status="dropped", reason=_reason(error))
                self.progress.candidate(asdict(dropped))
                continue
            return replace(trained, leaderboard=[asdict(line) for line in sorted(board, key=_rank)])
        reasons = "; ".join(f"{entry.algorithm}: {entry.reason}" for entry in board)
        raise TrainingFailure("no_candidate", f"No algorithm could be trained ({reasons}).")

    def _seconds_to_train(self, entry: Candidate) -> float:
        return entry.seconds / FOLDS * self._growth(entry.algorithm)

    def _growth(self, name: str) -> float:
        """How much longer a fit on all rows takes than one on a fold's."""
        rows = min(len(self.prepared.split.train), builder(name).COSTLY_ROWS)
        return max(1.0, rows / (len(self.rows) * (1 - 1 / FOLDS)))

    def _train(self, name: str) -> Trained:
        seconds = max(1.0, self.clock.left)
        if self.spec.tuning is not None:
            from modelmill_training.tabular.tuned import train_tuned  # imports Optuna

            return train_tuned(self.prepared, self.spec, name, {}, self.progress, seconds)
        hyperparameters = resolve_hyperparameters("tabular", name, {})
        return train(self.prepared, self.spec, name, hyperparameters, self.progress, seconds)

    def _try(self, name: str, reserved: float) -> Candidate:
        started = time.monotonic()
        metric = SCORE[self.spec.task]
        try:
            self._check_worth(name, reserved)
            metric, score = self._cross_validate(name, reserved)
        except FAILURES as error:
            return Candidate(name, "dropped", None, metric, _since(started), _reason(error))
        return Candidate(name, "done", score, metric, _since(started))

    def _check_worth(self, name: str, reserved: float) -> None:
        if name == "mlp" and len(self.rows) < MLP_ROWS:
            few = f"not tried: {len(self.rows)} training rows are few for a net, which is tried from {MLP_ROWS} on"
            raise OutOfTime(few)
        if name == "svm" and len(self.rows) > SVM_ROWS:
            many = f"not tried: {len(self.rows)} training rows are many for svm, which is tried up to {SVM_ROWS}"
            raise OutOfTime(many)
        if name != CANDIDATES[0]:
            self.clock.require(
                reserved + (MLP_SECONDS if name == "mlp" else 0.0), "a try, and training the best so far,"
            )

    def _cross_validate(self, name: str, reserved: float) -> tuple[str, float | None]:
        """The metric's name and its value over the predictions of all folds, None where they are too few.

        The time to train the leader on all rows stays reserved.
        """
        request = self._request(builder(name).SCALED)
        target, classes = request.train.target, self.prepared.classes
        numbers = fold_numbers(request.train, classes, self.spec.seed)
        scores = np.zeros((len(target), max(1, classes)))
        for fold in range(FOLDS):
            started = time.monotonic()
            self.progress.report("fit", fold, FOLDS)
            outside = numbers == fold
            if not outside.any():
                continue
            scores[outside] = _fit_fold(name, request, outside, (self.clock.left - reserved) / (FOLDS - fold))
            if name != CANDIDATES[0]:
                took = time.monotonic() - started
                needed = took * (FOLDS - fold - 1) + max(reserved, took * self._growth(name))
                self.clock.require(needed, "the other folds and training on all rows")
        predicted = numbers >= 0
        metrics = evaluate(target[predicted], scores[predicted], self.prepared.target.labels)
        for metric in (SCORE[self.spec.task], FALLBACK_SCORE):
            if metrics.get(metric) is not None:
                return metric, float(metrics[metric])
        return SCORE[self.spec.task], None

    def _request(self, scaled: bool) -> Request:
        return Request(
            train=self.prepared.rows(self.rows, scaled=scaled),
            validation=self.prepared.rows(self.prepared.split.validation, scaled=scaled),
            task=self.spec.task,
            classes=self.prepared.classes,
            hyperparameters={},
            seed=self.spec.seed,
            max_bytes=self.spec.max_model_bytes,
            progress=self.progress.unheard(),
        )


def _fit_fold(name: str, request: Request, outside: NDArray[np.bool_], seconds: float) -> Floats:
    features, target = request.train.features, request.train.target
    inside = replace(
        request,
        train=Rows(features[~outside], target[~outside]),
        hyperparameters=resolve_hyperparameters("tabular", name, {}),
        seconds=max(1.0, seconds),
    )
    return fit(name, inside).predict(features[outside])


def _reason(error: Exception) -> str:
    return str(error)[:300] if isinstance(error, TrainingFailure) else f"{type(error).__name__}: {error}"[:300]


def _rank(entry: Candidate) -> tuple[bool, bool, float]:
    return entry.status != "done", entry.score is None, -(entry.score or 0.0)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
