"""Progress as JSON lines on standard output; whatever else is printed is plain log."""

import json
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any, Literal, TextIO

Phase = Literal["load", "prepare", "tune", "fit", "evaluate", "export", "parity", "optimize", "report", "save"]


@dataclass(slots=True)
class Progress:
    """Writes one line per call, at once, so that people see it live; `phase` is the last one reported.

    curve: the metrics of each reported step since the last call without a step.
    checkpoints: the folder in which fits keep their state, or None where nothing is kept.
    chief: whether this machine, of several, is the one that keeps it.
    """

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    started: float = field(default_factory=time.monotonic)
    algorithm: str | None = None
    phase: Phase = "load"
    curve: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: Path | None = None
    chief: bool = True

    def unheard(self) -> "Progress":
        """One of which nobody reads what it writes, for fits that are a part of something else."""
        return replace(self, stream=StringIO(), curve=[])

    def report(
        self,
        phase: Phase,
        step: int | None = None,
        total: int | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Where the job is; `metrics` are points of the learning curve at `step`."""
        self.phase = phase
        told = {name: finite(value) for name, value in (metrics or {}).items()}
        if phase == "fit":
            self.curve = [*self.curve, {"step": step, **told}] if step is not None and told else []
        self._write(
            {
                "modelmill": "progress",
                "phase": phase,
                "step": step,
                "total": total,
                "metrics": told,
                "algorithm": self.algorithm,
                "elapsed_s": round(self.elapsed, 3),
            }
        )

    def candidate(self, entry: Mapping[str, Any]) -> None:
        """What became of one candidate of `auto`."""
        self._write({"modelmill": "candidate", **entry})

    def trial(self, entry: Mapping[str, Any]) -> None:
        """What became of one trial of tuning."""
        self._write({"modelmill": "trial", **entry})

    def log(self, text: str) -> None:
        """A plain line for people."""
        print(text, file=self.stream, flush=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the job began."""
        return time.monotonic() - self.started

    def _write(self, line: dict[str, Any]) -> None:
        print(json.dumps(line, allow_nan=False), file=self.stream, flush=True)


def finite(value: float) -> float | None:
    """The number, or None where JSON has none."""
    number = float(value)
    return number if math.isfinite(number) else None
