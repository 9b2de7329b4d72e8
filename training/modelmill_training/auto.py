"""The choice among algorithms: cross-validation within a time budget, then the winner on all training rows."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from modelmill.jobs.catalogue import resolve_hyperparameters
from modelmill.jobs.spec import TrainingSpec
from modelmill_training.algorithms import Request, Rows, builder
from modelmill_training.data import Integers
from modelmill_training.failures import TrainingFailure
from modelmill_training.fitting import fit
from modelmill_training.metrics import FALLBACK_SCORE, SCORE, evaluate
from modelmill_training.prepare import Prepared
from modelmill_training.progress import Progress
from modelmill_training.trained import Trained, sample, train

# Cheapest first, so that a small budget still brings something.
CANDIDATES = ("linear", "gradient_boosting", "random_forest", "mlp")
MAX_ROWS = 50_000
FOLDS = 3

# Below these, importing TensorFlow costs more than a net can bring.
MLP_ROWS = 1000
MLP_SECONDS = 90.0

# Scores this close together (of what is left to be gained) go to the cheaper candidate.
TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line of the leaderboard; `score` is the mean over the folds, higher is better."""

    algorithm: str
    status: Literal["done", "dropped"]
    score: float | None
    metric: str
    seconds: float
    reason: str | None = None


class OutOfTime(TrainingFailure):
    """The rest of the budget would not suffice."""

    def __init__(self, message: str) -> None:
        super().__init__("out_of_time", message)


class Clock:
    """What is left of the budget."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; negative when it is used up."""
        return self._end - time.monotonic()

    def require(self, seconds: float, what: str) -> None:
        """Nothing, when that much is left.

        Raises:
            OutOfTime: it is not.
        """
        if seconds > self.left:
            raise OutOfTime(f"not finished: {what} would take about {seconds:.0f} s, {max(0.0, self.left):.0f} s left")


def choose(prepared: Prepared, spec: TrainingSpec, progress: Progress) -> Trained:
    """The best candidate, trained on the whole training part, with the leaderboard of all.

    Raises:
        TrainingFailure: none could be trained.
    """
    clock = Clock(min(spec.time_budget_s, spec.hyperparameters["time_budget_s"]))
    rows = sample_rows(prepared, spec.seed)
    board = []
    for name in CANDIDATES:
        progress.algorithm = name
        board.append(_try(name, prepared, spec, rows, clock, progress))
        progress.candidate(asdict(board[-1]))
    return _train_best(board, prepared, spec, len(rows), clock, progress)


def _train_best(
    board: list[Candidate],
    prepared: Prepared,
    spec: TrainingSpec,
    rows: int,
    clock: Clock,
    progress: Progress,
) -> Trained:
    """The first by score that can also be trained on all rows; those that cannot drop out."""
    ranked = sorted((entry for entry in board if entry.score is not None), key=lambda entry: -(entry.score or 0.0))
    for place, entry in enumerate(ranked):
        try:
            growth = len(prepared.split.train) / (rows * (1 - 1 / FOLDS))
            if place < len(ranked) - 1:
                clock.require(entry.seconds / FOLDS * growth, "training on all rows")
            hyperparameters = resolve_hyperparameters(entry.algorithm, {})
            trained = train(prepared, spec, entry.algorithm, hyperparameters, progress, seconds=max(1.0, clock.left))
        except TrainingFailure as failure:
            board[board.index(entry)] = dropped = replace(entry, status="dropped", reason=failure.message)
            progress.candidate(asdict(dropped))
            continue
        leaderboard = sorted(board, key=lambda line: (line.status != "done", -(line.score or 0.0)))
        return replace(trained, leaderboard=[asdict(line) for line in leaderboard])
    reasons = "; ".join(f"{entry.algorithm}: {entry.reason}" for entry in board)
    raise TrainingFailure("no_candidate", f"No algorithm could be trained ({reasons}).")


def _try(
    name: str, prepared: Prepared, spec: TrainingSpec, rows: Integers, clock: Clock, progress: Progress
) -> Candidate:
    started = time.monotonic()
    metric = SCORE[spec.task]
    try:
        _check_worth(name, len(rows), clock)
        metric, score = cross_validate(name, prepared, spec, rows, clock, progress)
    except (TrainingFailure, ValueError, ArithmeticError, MemoryError) as error:
        # A candidate that cannot cope with the data must not take the others down.
        reason = error.message if isinstance(error, TrainingFailure) else f"failed: {type(error).__name__}: {error}"
        return Candidate(name, "dropped", None, metric, _since(started), reason[:300])
    return Candidate(name, "done", score, metric, _since(started))


def _check_worth(name: str, rows: int, clock: Clock) -> None:
    if name == CANDIDATES[0]:
        return
    if name == "mlp" and rows < MLP_ROWS:
        raise OutOfTime(f"not tried: {rows} training rows are few for a net, which is tried from {MLP_ROWS} on")
    clock.require(MLP_SECONDS if name == "mlp" else 0.0, "a first fit")


def cross_validate(
    name: str, prepared: Prepared, spec: TrainingSpec, rows: Integers, clock: Clock, progress: Progress
) -> tuple[str, float]:
    """The metric's name and its mean over the folds.

    Raises:
        OutOfTime: by the first fold's time, the others would not finish.
    """
    scaled = builder(name).SCALED
    everything = prepared.rows(rows, scaled=scaled)
    scores: dict[str, list[float]] = {SCORE[spec.task]: [], FALLBACK_SCORE: []}
    hyperparameters = resolve_hyperparameters(name, {})
    for fold, (inside, outside) in enumerate(folds(everything, prepared.classes, spec.seed)):
        started = time.monotonic()
        progress.report("fit", fold, FOLDS)
        request = Request(
            train=Rows(everything.features[inside], everything.target[inside]),
            validation=Rows(everything.features[outside], everything.target[outside]),
            task=spec.task,
            classes=prepared.classes,
            hyperparameters=dict(hyperparameters),
            seed=spec.seed,
            max_bytes=spec.max_model_bytes,
            progress=Progress(stream=_Silent()),
            seconds=max(1.0, clock.left / (FOLDS - fold + 1)),
        )
        predicted = fit(name, request).predict(request.validation.features)
        metrics = evaluate(request.validation.target, predicted, prepared.target.labels)
        for metric, values in scores.items():
            if metrics.get(metric) is not None:
                values.append(metrics[metric])
        clock.require((time.monotonic() - started) * (FOLDS - fold - 1), "the other folds")
    return _mean(scores, FOLDS)


def folds(rows: Rows, classes: int, seed: int) -> Iterator[tuple[Integers, Integers]]:
    """Row indexes inside and outside of each fold; classes keep their proportions."""
    order = np.random.default_rng(seed).permutation(len(rows.target))
    if classes:
        order = order[np.argsort(rows.target[order], kind="stable")]
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order)) % FOLDS
    for fold in range(FOLDS):
        yield np.flatnonzero(number != fold), np.flatnonzero(number == fold)


def sample_rows(prepared: Prepared, seed: int) -> Integers:
    """At most MAX_ROWS of the training rows, stratified for classes."""
    rows = prepared.split.train
    if prepared.target.labels is None or len(rows) <= MAX_ROWS:
        return sample(rows, MAX_ROWS, seed)
    share = MAX_ROWS / len(rows)
    classes = prepared.target.values[rows]
    members = (rows[classes == place] for place in range(prepared.classes))
    parts = [sample(part, max(FOLDS, round(share * len(part))), seed) for part in members]
    return np.sort(np.concatenate(parts))


def _mean(scores: dict[str, list[float]], folds: int) -> tuple[str, float]:
    for metric, values in scores.items():
        if len(values) == folds:
            return metric, float(np.mean(values))
    raise TrainingFailure("no_score", "no fold could be scored")


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
