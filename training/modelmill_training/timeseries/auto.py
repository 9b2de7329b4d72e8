"""The choice among forecasters: each is trained, cheapest first, while the time budget allows."""

import time
from dataclasses import asdict, dataclass, replace
from typing import Literal

from modelmill.jobs.catalogue import resolve_hyperparameters
from modelmill.jobs.spec import TrainingSpec
from modelmill_training.failures import TrainingFailure
from modelmill_training.progress import Progress
from modelmill_training.timeseries.metrics import FALLBACK_SCORE, SCORE, evaluate
from modelmill_training.timeseries.prepare import Prepared
from modelmill_training.timeseries.trained import BASELINE, Fitted, Trained, finish, fit

# The first one is always trained, so that the smallest budget still brings something.
CANDIDATES = (BASELINE, "gradient_boosting", "lstm")
MIN_SECONDS = {"lstm": 30.0}

# What a candidate may raise when it cannot cope with the data; it must not take the others down.
FAILURES = (TrainingFailure, ValueError, ArithmeticError, RuntimeError, MemoryError, ImportError)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line of the leaderboard; `score` is the metric on the validation origins, better when it is lower."""

    algorithm: str
    status: Literal["done", "dropped"]
    score: float | None
    metric: str
    seconds: float
    reason: str | None = None


def choose(prepared: Prepared, spec: TrainingSpec, progress: Progress) -> Trained:
    """The candidate that does best on the validation origins, with the leaderboard of all.

    Raises:
        TrainingFailure: none could be trained.
    """
    end = time.monotonic() + min(spec.time_budget_s, spec.hyperparameters["time_budget_s"])
    board: list[tuple[Candidate, Fitted | None]] = []
    for name in CANDIDATES:
        left = end - time.monotonic() if board else None
        board.append(_try(prepared, spec, name, left, progress))
        progress.candidate(asdict(board[-1][0]))
    return _finish_best(prepared, spec, board, progress)


def _try(
    prepared: Prepared, spec: TrainingSpec, name: str, left: float | None, progress: Progress
) -> tuple[Candidate, Fitted | None]:
    started, needed = time.monotonic(), MIN_SECONDS.get(name, 0.0)
    if left is not None and left <= needed:
        reason = f"not finished: it takes about {needed:.0f} s, {max(0.0, left):.0f} s were left"
        return Candidate(name, "dropped", None, SCORE, 0.0, reason), None
    given = resolve_hyperparameters("timeseries", name, {"level": spec.hyperparameters["level"]})
    try:
        fitted = fit(prepared, spec.seed, name, given, progress, left)
    except FAILURES as error:
        return Candidate(name, "dropped", None, SCORE, _since(started), str(error)), None
    windows = prepared.parts.validation
    metrics = evaluate(windows.truth, fitted.validation, windows.naive_error)
    metric = SCORE if metrics.get(SCORE) is not None else FALLBACK_SCORE
    return Candidate(name, "done", metrics.get(metric), metric, _since(started)), fitted


def _finish_best(
    prepared: Prepared, spec: TrainingSpec, board: list[tuple[Candidate, Fitted | None]], progress: Progress
) -> Trained:
    ranked = sorted(board, key=lambda entry: _rank(entry[0]))
    for place, (candidate, fitted) in enumerate(ranked):
        if fitted is None:
            break
        try:
            trained = _finish(prepared, spec, fitted, progress)
        except FAILURES as error:
            ranked[place] = replace(candidate, status="dropped", reason=str(error)), None
            progress.candidate(asdict(ranked[place][0]))
            continue
        lines = sorted((entry for entry, _ in ranked), key=_rank)
        return replace(trained, leaderboard=[asdict(line) for line in lines])
    reasons = "; ".join(f"{candidate.algorithm}: {candidate.reason}" for candidate, _ in ranked)
    raise TrainingFailure("no_candidate", f"No algorithm could be trained ({reasons}).")


def _finish(prepared: Prepared, spec: TrainingSpec, fitted: Fitted, progress: Progress) -> Trained:
    if spec.tuning is None or fitted.algorithm == BASELINE:
        return finish(prepared, spec, fitted, progress)
    from modelmill_training.timeseries.tuned import train_tuned  # imports Optuna

    given = {"level": spec.hyperparameters["level"]}
    return train_tuned(prepared, spec, fitted.algorithm, given, progress)


def _rank(candidate: Candidate) -> tuple[bool, float]:
    return candidate.status != "done", float("inf") if candidate.score is None else candidate.score


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
