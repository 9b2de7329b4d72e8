"""The choice among algorithms: each is trained, cheapest first, while the time budget allows."""

import time
from dataclasses import asdict, dataclass, replace
from typing import Literal

from modelmill.jobs.catalogue import resolve_hyperparameters
from modelmill.jobs.spec import TrainingSpec
from modelmill_training.classifier import Samples
from modelmill_training.classifier.trained import Fitted, Trained, finish, fit
from modelmill_training.failures import TrainingFailure
from modelmill_training.metrics import FALLBACK_SCORE, SCORE, evaluate
from modelmill_training.progress import Progress

# By the kind of dataset. The first one is always trained, so that the smallest budget still brings something.
CANDIDATES = {"text": ("text_linear", "lstm", "transformer"), "image": ("cnn", "resnet")}

# With less of either, what follows the first one is not begun.
MIN_TRAIN_ITEMS = 2000
MIN_SECONDS = 60.0

# What a candidate may raise when it cannot cope with the data; it must not take the others down.
FAILURES = (TrainingFailure, ValueError, ArithmeticError, RuntimeError, MemoryError, ImportError)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line of the leaderboard; `score` is that of the validation part, better when it is higher."""

    algorithm: str
    status: Literal["done", "dropped"]
    score: float | None
    metric: str
    seconds: float
    reason: str | None = None


def choose(samples: Samples, spec: TrainingSpec, progress: Progress) -> Trained:
    """The candidate that does best on the validation part, with the leaderboard of all.

    Raises:
        TrainingFailure: none could be trained.
    """
    end = time.monotonic() + min(spec.time_budget_s, spec.hyperparameters["time_budget_s"])
    board: list[tuple[Candidate, Fitted | None]] = []
    for name in CANDIDATES[samples.kind]:
        left = end - time.monotonic() if board else None
        board.append(_try(samples, spec, name, left, progress))
        progress.candidate(asdict(board[-1][0]))
    return _finish_best(samples, spec, board, progress)


def _try(
    samples: Samples, spec: TrainingSpec, name: str, left: float | None, progress: Progress
) -> tuple[Candidate, Fitted | None]:
    progress.algorithm = name
    started, metric = time.monotonic(), SCORE[spec.task]
    reason = _reason_not_to(len(samples.split.train), left)
    if reason:
        return Candidate(name, "dropped", None, metric, 0.0, reason), None
    try:
        fitted = fit(samples, spec, name, resolve_hyperparameters(samples.kind, name, {}), progress, left)
    except FAILURES as error:
        return Candidate(name, "dropped", None, metric, _since(started), str(error)), None
    metrics = evaluate(samples.target[samples.split.validation], fitted.validation, samples.labels)
    if metrics.get(metric) is None:
        metric = FALLBACK_SCORE
    return Candidate(name, "done", metrics.get(metric), metric, _since(started)), fitted


def _reason_not_to(train: int, left: float | None) -> str | None:
    if left is None:
        return None
    if train < MIN_TRAIN_ITEMS:
        return f"not tried: {train} training rows are few for it, it is tried from {MIN_TRAIN_ITEMS} on"
    if left < MIN_SECONDS:
        return f"not finished: it takes about {MIN_SECONDS:.0f} s, {max(0.0, left):.0f} s were left"
    return None


def _finish_best(
    samples: Samples, spec: TrainingSpec, board: list[tuple[Candidate, Fitted | None]], progress: Progress
) -> Trained:
    ranked = sorted(board, key=lambda entry: _rank(entry[0]))
    for place, (candidate, fitted) in enumerate(ranked):
        if fitted is None:
            break
        progress.algorithm = candidate.algorithm
        try:
            trained = _finish(samples, spec, fitted, progress)
        except FAILURES as error:
            ranked[place] = replace(candidate, status="dropped", reason=str(error)), None
            progress.candidate(asdict(ranked[place][0]))
            continue
        lines = sorted((entry for entry, _ in ranked), key=_rank)
        return replace(trained, leaderboard=[asdict(line) for line in lines])
    reasons = "; ".join(f"{candidate.algorithm}: {candidate.reason}" for candidate, _ in ranked)
    raise TrainingFailure("no_candidate", f"No algorithm could be trained ({reasons}).")


def _finish(samples: Samples, spec: TrainingSpec, fitted: Fitted, progress: Progress) -> Trained:
    if spec.tuning is None:
        return finish(samples, spec, fitted, progress)
    from modelmill_training.classifier.tuned import train_tuned  # imports Optuna

    return train_tuned(samples, spec, fitted.algorithm, {}, progress)


def _rank(candidate: Candidate) -> tuple[bool, float]:
    score = candidate.score if candidate.score is not None else -1.0
    return candidate.status != "done", -score


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
