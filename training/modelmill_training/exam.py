"""Held-out rows that every form of a model's graph is run on: its answers, how good they are, and what a run costs."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from modelmill_training import session
from modelmill_training.parity import EXACT, Bound, Outputs, Report

BATCH_ROWS = 32


class Paper(NamedTuple):
    """What a graph answered, and its costs; latencies are of one row and of the first BATCH_ROWS, or all of fewer."""

    outputs: Outputs
    model_bytes: int
    load_ms: float
    latency_us: float
    batch_latency_us: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Exam:
    """What a graph is asked, and how its answers are judged.

    feeds: the graph's inputs for all rows, run after run.
    compare: how far the answers for all rows agree with the trained model's.
    score: the metric of the answers for all rows; None where they allow none.
    metric: its name, None where the task has none. more_is_better: which way it counts.
    reference: the graph's inputs for the rows of the manifest's `reference`.
    """

    feeds: Callable[[], Iterable[session.Inputs]]
    compare: Callable[[Outputs, Bound], Report]
    reference: session.Inputs
    metric: str | None = None
    score: Callable[[Outputs], float | None] = lambda _: None
    more_is_better: bool = True

    def sit(self, graph: bytes) -> Paper:
        """Run the graph on all rows."""
        before, started = session.resident_bytes(), time.perf_counter()
        opened = session.open_session(graph)
        load = round((time.perf_counter() - started) * 1e3, 1)
        parts = [session.predict(opened, feed) for feed in self.feeds()]
        outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        memory = max(0, session.resident_bytes() - before)
        first = next(iter(self.feeds()))
        one, batch = (session.latency_us(opened, first, rows) for rows in (1, BATCH_ROWS))
        return Paper(outputs, len(graph), load, one, batch, memory)

    def check(self, graph: bytes) -> tuple[Report, dict[str, Any]]:
        """The parity report of a graph that is to give exactly what the model gives, and the manifest's placement."""
        paper = self.sit(graph)
        placement = {name: getattr(paper, name) for name in ("model_bytes", "latency_us", "memory_bytes")}
        return self.compare(paper.outputs, EXACT), placement
