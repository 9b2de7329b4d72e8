"""How far a training job is, read from the JSON lines that it prints."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from modelmill.jobs.records import Job

CURVE_POINTS = 500
TRIALS = 500


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a job printed; `timestamp` in milliseconds since the epoch."""

    timestamp: int
    message: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines from the oldest on, and the cursor that continues after them, also when there is nothing new yet."""

    lines: list[LogLine]
    next_cursor: str | None


class JobLogs(Protocol):
    """Where jobs' logs are."""

    def page(self, job: Job, cursor: str | None, limit: int) -> LogPage:
        """Lines from the oldest on."""

    def tail(self, job: Job) -> list[LogLine]:
        """The last few thousand lines, oldest first."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The latest step, the curve of those steps that carried metrics, and what `auto` and tuning have tried so far."""

    latest: dict[str, Any] | None
    curve: list[dict[str, Any]]
    leaderboard: list[dict[str, Any]]
    trials: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        trials = {"trials": self.trials} if self.trials else {}
        return (self.latest or {}) | {"curve": self.curve} | trials


def read_progress(lines: Iterable[LogLine]) -> Progress:
    """The progress in a job's log; lines that are not progress are passed over."""
    latest: dict[str, Any] | None = None
    curve: list[dict[str, Any]] = []
    leaderboard: list[dict[str, Any]] = []
    trials: list[dict[str, Any]] = []
    for record in filter(None, map(_parse, lines)):
        kind = record.pop("modelmill")
        if kind == "candidate":
            leaderboard.append(record)
        elif kind == "trial":
            trials.append(record)
        elif kind == "progress":
            latest = record
            if record.get("phase") == "fit" and record.get("metrics"):
                curve.append({"step": record.get("step"), **record["metrics"]})
    return Progress(latest, curve[-CURVE_POINTS:], leaderboard, trials[-TRIALS:])


def _parse(line: LogLine) -> dict[str, Any] | None:
    if not line.message.startswith('{"modelmill"'):
        return None
    try:
        record = json.loads(line.message)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
