"""The search for hyper-parameters, whatever is trained: Optuna proposes them, a family scores them.

Tree-structured Parzen estimators (https://doi.org/10.48550/arXiv.2304.11127) propose, the median of earlier trials at
the same step ends those that fall behind.
"""

import json
import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Literal, Protocol

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from modelmill.jobs.catalogue import find, resolve_hyperparameters, search_spaces
from modelmill.jobs.metrics import METRICS
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.manifest import Task
from modelmill_training.clock import Clock, OutOfTime
from modelmill_training.failures import TrainingFailure
from modelmill_training.progress import Progress

State = Literal["done", "pruned", "failed", "out_of_time"]
STATES: dict[State, TrialState] = {
    "done": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "out_of_time": TrialState.FAIL,
}

# What a trial may raise when its hyper-parameters do not suit the data; it must not end the others.
FAILURES = (TrainingFailure, ValueError, ArithmeticError, MemoryError)

# Nothing is ended before so many trials have reached the same step, nor a net in its first epochs.
TRIALS_TO_COMPARE = 3
WARMUP_EPOCHS = 5

# Proposals at random before the estimators have something to go by, of all trials.
RANDOM_SHARE = 3
MOST_RANDOM = 10

MIN_TRIALS_FOR_IMPORTANCE = 4

_ALWAYS_DEFINED: dict[Task, str] = {
    "regression": "mae",
    "binary": "accuracy",
    "multiclass": "accuracy",
    "forecasting": "mae",
}


class Pruned(Exception):
    """A trial has fallen behind the others."""


class Objective(Protocol):
    """How a family scores hyper-parameters."""

    def __call__(
        self, hyperparameters: dict[str, Any], report: Callable[[int, float], None], progress: Progress
    ) -> float:
        """The metric after training with them, on rows that were not trained on.

        Args:
            hyperparameters: complete; None may be replaced by what was taken.
            report: told a loss (less is better, whatever the metric) at each of ascending steps; raises `Pruned`.
            progress: raises `OutOfTime` where a step is reported after the end of the search.
        """


@dataclass(frozen=True, slots=True)
class Found:
    """The best hyper-parameters, complete; what the report tells of the search, and what the manifest does."""

    hyperparameters: dict[str, Any]
    report: dict[str, Any]
    summary: dict[str, Any]


@dataclass(slots=True)
class _Trial:
    """One line of the history; `hyperparameters` are those that were searched."""

    number: int
    hyperparameters: dict[str, Any]
    complete: dict[str, Any]
    state: State = "done"
    value: float | None = None
    reason: str | None = None
    seconds: float = 0.0
    best: float | None = None
    losses: dict[int, float] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """JSON-ready."""
        names = ("number", "hyperparameters", "state", "value", "best", "seconds")
        reason = {"reason": self.reason} if self.reason else {}
        return {name: getattr(self, name) for name in names} | {"steps": len(self.losses)} | reason


def search(
    spec: TrainingSpec, algorithm: str, given: dict[str, Any], objective: Objective, progress: Progress
) -> Found:
    """The best of the trials that `spec.tuning` asks for; the first has the defaults, which stay if none beats it.

    Args:
        spec: its tuning is not None.
        algorithm: never `auto`.
        given: hyper-parameters that stay as they are.
        objective: scores the trials.
        progress: told each trial.

    Raises:
        TrainingFailure: every trial failed.
    """
    return _Search(spec, algorithm, given, objective, progress).run()


def score(spec: TrainingSpec, metrics: Mapping[str, Any]) -> float:
    """The metric that `spec.tuning` names.

    Raises:
        ValueError: the rows do not allow it.
    """
    metric = (spec.tuning or {})["metric"]
    value = metrics.get(metric)
    if value is None:
        raise ValueError(f"the rows allow no {metric}; ask for another metric, such as {_ALWAYS_DEFINED[spec.task]}")
    return float(value)


class _Search:
    def __init__(
        self, spec: TrainingSpec, algorithm: str, given: dict[str, Any], objective: Objective, progress: Progress
    ) -> None:
        asked = spec.tuning or {}
        self._kind, self._algorithm, self._given = spec.kind, algorithm, given
        self._objective, self._progress = objective, progress
        self._trials, self._timeout, self._metric = int(asked["trials"]), float(asked["timeout_s"]), asked["metric"]
        self._higher = METRICS[spec.task][self._metric]
        spaces = search_spaces(find(spec.kind, algorithm), spec.task)
        self._spaces = {name: space for name, space in spaces.items() if name not in given}
        self._study = _study(spec.seed, self._trials, self._higher, "epochs" in self._resolved({}))
        self._history: list[_Trial] = []
        self._clock = Clock(self._timeout)

    def run(self) -> Found:
        started = time.monotonic()
        for number in range(self._trials):
            if not self._time_for_another():
                break
            best = self._best()
            told = {self._metric: best.value} if best and best.value is not None else None
            self._progress.report("tune", number, self._trials, told)
            self._try(number)
        best = self._best()
        if best is None and all(trial.state == "failed" for trial in self._history):
            reasons = "; ".join(dict.fromkeys(trial.reason or "" for trial in self._history))[:600]
            raise TrainingFailure("tuning_failed", f"All {len(self._history)} trials failed ({reasons}).")
        return self._found(best, time.monotonic() - started)

    def _try(self, number: int) -> None:
        """One trial, told and added to the history."""
        asked = self._study.ask() if number else None
        chosen = self._propose(asked) if asked else {}
        trial = _Trial(number, chosen, self._resolved(chosen))
        started = time.monotonic()
        self._run(trial, asked)
        trial.seconds = round(time.monotonic() - started, 3)
        if asked is None:
            trial.hyperparameters = {name: trial.complete[name] for name in self._spaces if self._applies(name, {})}
            self._add(trial)
        else:
            self._study.tell(asked, trial.value, STATES[trial.state])
        self._history.append(trial)
        best = self._best()
        trial.best = best.value if best else None
        self._progress.trial(trial.told())

    def _run(self, trial: _Trial, asked: optuna.Trial | None) -> None:
        def report(step: int, loss: float) -> None:
            trial.losses[step] = loss
            if asked is not None:
                asked.report(-loss if self._higher else loss, step)
                if asked.should_prune():
                    raise Pruned

        try:
            value = float(
                self._objective(
                    trial.complete,
                    report,
                    _Limited(stream=StringIO(), clock=self._clock, checkpoints=self._progress.checkpoints),
                )
            )
            if not math.isfinite(value):
                raise ValueError(f"the {self._metric} is {value}")
            trial.value = value
        except Pruned:
            trial.state = "pruned"
        except OutOfTime as error:
            trial.state, trial.reason = "out_of_time", error.message
        except FAILURES as error:
            trial.state, trial.reason = "failed", _reason(error)

    def _propose(self, asked: optuna.Trial) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        for name, space in self._spaces.items():
            if self._applies(name, chosen):
                chosen[name] = _suggest(asked, name, _distribution(space))
        return chosen

    def _applies(self, name: str, chosen: Mapping[str, Any]) -> bool:
        """Whether the other hyper-parameters have values with which this one matters."""
        others = self._resolved(dict(chosen))
        return all(others[other] in values for other, values in self._spaces[name].get("when", {}).items())

    def _add(self, trial: _Trial) -> None:
        """The defaults, as far as they lie where the search looks, so that it learns from them."""
        distributions = {name: _distribution(self._spaces[name]) for name in trial.hyperparameters}
        inside = {
            name: _stored(distribution, trial.hyperparameters[name])
            for name, distribution in distributions.items()
            if _holds(distribution, trial.hyperparameters[name])
        }
        self._study.add_trial(
            optuna.trial.create_trial(
                state=STATES[trial.state],
                value=trial.value,
                params=inside,
                distributions={name: distributions[name] for name in inside},
                intermediate_values={
                    step: -loss if self._higher else loss
                    for step, loss in (trial.losses.items() if trial.state == "done" else ())
                },
            )
        )

    def _resolved(self, chosen: dict[str, Any]) -> dict[str, Any]:
        return resolve_hyperparameters(self._kind, self._algorithm, {**self._given, **chosen})

    def _time_for_another(self) -> bool:
        """The first is always tried; another needs the mean time of those before it."""
        tried = [trial.seconds for trial in self._history]
        return not tried or self._clock.left > sum(tried) / len(tried)

    def _best(self) -> _Trial | None:
        """The first of the best: a trial as good as the defaults does not replace them."""
        done = [trial for trial in self._history if trial.value is not None]
        return max(done, key=self._goodness) if done else None

    def _goodness(self, trial: _Trial) -> float:
        value = trial.value or 0.0
        return value if self._higher else -value

    def _found(self, best: _Trial | None, seconds: float) -> Found:
        default = self._history[0].value
        summary = {
            "metric": self._metric,
            "trials": dict(Counter(trial.state for trial in self._history)),
            "best": best.number if best else 0,
            "best_value": best.value if best else None,
            "default_value": default,
            "seconds": round(seconds, 3),
        }
        details = {
            "higher_is_better": self._higher,
            "asked": {"trials": self._trials, "timeout_s": self._timeout},
            "given": self._given,
            "history": [trial.told() for trial in self._history],
            "importances": self._importances(),
        }
        chosen = best.hyperparameters if best and best.number else {}
        return Found(self._resolved(chosen), summary | details, summary)

    def _importances(self) -> list[dict[str, Any]]:
        """How much of the difference between good trials and others lies in each hyper-parameter, largest first."""
        values = [trial.value for trial in self._history if trial.value is not None]
        if len(values) < MIN_TRIALS_FOR_IMPORTANCE or len(set(values)) == 1:
            return []
        with warnings.catch_warnings():
            # It warns where few trials have a hyper-parameter, which the report's history shows.
            warnings.simplefilter("ignore", UserWarning)
            found = optuna.importance.get_param_importances(self._study)
        return [{"hyperparameter": name, "importance": float(value)} for name, value in found.items()]


@dataclass(slots=True)
class _Limited(Progress):
    """Prints nothing, and ends a trial at its first step after the end of the search."""

    clock: Clock = field(default_factory=lambda: Clock(0.0))

    def report(self, *_: object, **__: object) -> None:
        if self.clock.left <= 0:
            raise OutOfTime("the time for the search was up")


def _study(seed: int, trials: int, higher: bool, epochs: bool) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        direction="maximize" if higher else "minimize",
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(MOST_RANDOM, trials // RANDOM_SHARE)),
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=TRIALS_TO_COMPARE,
            n_warmup_steps=WARMUP_EPOCHS if epochs else 0,
            n_min_trials=TRIALS_TO_COMPARE,
        ),
    )


def _distribution(space: Mapping[str, Any]) -> BaseDistribution:
    if "choices" in space:
        # As JSON, since Optuna takes no lists.
        return CategoricalDistribution([json.dumps(choice) for choice in space["choices"]])
    if isinstance(space["low"], int):
        return IntDistribution(space["low"], space["high"], log=space.get("log", False))
    return FloatDistribution(space["low"], space["high"], log=space.get("log", False))


def _suggest(asked: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    match distribution:
        case CategoricalDistribution():
            return json.loads(str(asked.suggest_categorical(name, distribution.choices)))
        case IntDistribution():
            return asked.suggest_int(name, distribution.low, distribution.high, log=distribution.log)
        case FloatDistribution():
            return asked.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
    raise TypeError(f"nothing is suggested from {type(distribution).__name__}")


def _stored(distribution: BaseDistribution, value: Any) -> Any:
    return json.dumps(value) if isinstance(distribution, CategoricalDistribution) else value


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    match distribution:
        case CategoricalDistribution():
            return _stored(distribution, value) in distribution.choices
        case IntDistribution() | FloatDistribution():
            return value is not None and distribution.low <= value <= distribution.high
    return False


def _reason(error: Exception) -> str:
    return str(error)[:300] if isinstance(error, TrainingFailure) else f"{type(error).__name__}: {error}"[:300]
