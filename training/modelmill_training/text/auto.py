"""The choice among algorithms on texts: each is trained, cheapest first, while the time budget allows."""

import time
from dataclasses import asdict, dataclass, replace
from typing import Literal

from modelmill.jobs.catalogue import resolve_hyperparameters
from modelmill.jobs.spec import TrainingSpec
from modelmill_training.failures import TrainingFailure
from modelmill_training.metrics import FALLBACK_SCORE, SCORE, evaluate
from modelmill_training.progress import Progress
from modelmill_training.text.prepare import Texts
from modelmill_training.text.trained import Fitted, Trained, finish, fit

# The first one is always trained, so that the smallest budget still brings something.
CANDIDATES = ("text_linear", "lstm", "transformer")

# Below these, networks know too few words; and importing TensorFlow takes longer than they can bring.
NETWORK_TEXTS = 2000
NETWORK_SECONDS = 60.0

# What a candidate may raise when it cannot cope with the data; it must not take the others down.
FAILURES = (TrainingFailure, ValueError, ArithmeticError, RuntimeError, MemoryError, ImportError)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line of the leaderboard; `score` is that of the validation texts, better when it is higher."""

    algorithm: str
    status: Literal["done", "dropped"]
    score: float | None
    metric: str
    seconds: float
    reason: str | None = None


def choose(texts: Texts, spec: TrainingSpec, progress: Progress) -> Trained:
    """The candidate that does best on the validation texts, with the leaderboard of all.

    Raises:
        TrainingFailure: none could be trained.
    """
    end = time.monotonic() + min(spec.time_budget_s, spec.hyperparameters["time_budget_s"])
    board: list[tuple[Candidate, Fitted | None]] = []
    for name in CANDIDATES:
        board.append(_try(texts, spec, name, end - time.monotonic(), progress))
        progress.candidate(asdict(board[-1][0]))
    return _finish_best(texts, spec, board, progress)


def _try(
    texts: Texts, spec: TrainingSpec, name: str, left: float, progress: Progress
) -> tuple[Candidate, Fitted | None]:
    progress.algorithm = name
    started, metric = time.monotonic(), SCORE[spec.task]
    reason = _reason_not_to(name, len(texts.split.train), left)
    if reason:
        return Candidate(name, "dropped", None, metric, 0.0, reason), None
    try:
        seconds = None if name == CANDIDATES[0] else left
        fitted = fit(texts, spec, name, resolve_hyperparameters("text", name, {}), progress, seconds)
    except FAILURES as error:
        return Candidate(name, "dropped", None, metric, _since(started), str(error)), None
    metrics = evaluate(texts.target[texts.split.validation], fitted.validation, texts.labels)
    if metrics.get(metric) is None:
        metric = FALLBACK_SCORE
    return Candidate(name, "done", metrics.get(metric), metric, _since(started)), fitted


def _reason_not_to(name: str, train: int, left: float) -> str | None:
    if name == CANDIDATES[0]:
        return None
    if train < NETWORK_TEXTS:
        return f"not tried: {train} training texts are few for a network, which is tried from {NETWORK_TEXTS} on"
    if left < NETWORK_SECONDS:
        return f"not finished: a network takes about {NETWORK_SECONDS:.0f} s, {max(0.0, left):.0f} s were left"
    return None


def _finish_best(
    texts: Texts, spec: TrainingSpec, board: list[tuple[Candidate, Fitted | None]], progress: Progress
) -> Trained:
    ranked = sorted(board, key=lambda entry: _rank(entry[0]))
    for place, (candidate, fitted) in enumerate(ranked):
        if fitted is None:
            break
        progress.algorithm = candidate.algorithm
        try:
            trained = finish(texts, spec, fitted, progress)
        except FAILURES as error:
            ranked[place] = replace(candidate, status="dropped", reason=str(error)), None
            progress.candidate(asdict(ranked[place][0]))
            continue
        lines = sorted((entry for entry, _ in ranked), key=_rank)
        return replace(trained, leaderboard=[asdict(line) for line in lines])
    reasons = "; ".join(f"{candidate.algorithm}: {candidate.reason}" for candidate, _ in ranked)
    raise TrainingFailure("no_candidate", f"No algorithm could be trained ({reasons}).")


def _rank(candidate: Candidate) -> tuple[bool, float]:
    score = candidate.score if candidate.score is not None else -1.0
    return candidate.status != "done", -score


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
