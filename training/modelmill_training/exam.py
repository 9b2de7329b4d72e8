"""Held-out rows that every form of a model's graph is run on: its answers, how good they are, and what a run costs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from modelmill_training import session
from modelmill_training.parity import EXACT, Bound, Outputs, Report

BATCH_ROWS = 32


class Paper(NamedTuple):
    """What a graph answered, and the manifest's placement."""

    outputs: Outputs
    placement: dict[str, Any]


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
        before = session.resident_bytes()
        opened = session.open_session(graph)
        parts = [session.predict(opened, feed) for feed in self.feeds()]
        outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        memory = max(0, session.resident_bytes() - before)
        latency = session.latency_us(opened, next(iter(self.feeds())))
        return Paper(outputs, {"model_bytes": len(graph), "latency_us": latency, "memory_bytes": memory})

    def check(self, graph: bytes) -> tuple[Report, dict[str, Any]]:
        """The parity report of a graph that is to give exactly what the model gives, and its placement."""
        paper = self.sit(graph)
        return self.compare(paper.outputs, EXACT), paper.placement

    def costs(self, graph: bytes) -> dict[str, Any]:
        """`model_bytes`, and medians of loading the graph and of runs of one row and of a batch."""
        opened, first = session.open_session(graph), next(iter(self.feeds()))
        one, batch = (session.latency_us(opened, first, rows) for rows in (1, BATCH_ROWS))
        load = session.load_ms(graph)
        return {"model_bytes": len(graph), "load_ms": load, "latency_us": one, "batch_latency_us": batch}
