"""From scores to anomalies: what all detectors share."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from modelmill.models.signature import Tensor, anomaly_outputs
from modelmill_training import parity
from modelmill_training.data import Floats, Matrix
from modelmill_training.onnx_graph import GraphBuilder, singles
from modelmill_training.parity import Outputs
from modelmill_training.progress import finite
from modelmill_training.report.warnings import Finding, warning
from modelmill_training.tabular.unsupervised import Rows

QUANTILES = {"score_median": 0.5, "score_q90": 0.9, "score_q99": 0.99, "score_max": 1.0}
BINS = 50
MARGIN = 0.1

# So many times the expected share, and rows, say that the threshold does not hold for other rows.
FAR_MORE = 3
SOME_ROWS = 5


class Scorer(Protocol):
    """What tells how strange rows are."""

    @property
    def code_size(self) -> int | None:
        """Of the embedding, None where there is none."""
        ...

    def predict(self, features: Matrix) -> Outputs:
        """`score` [N], higher where a row is stranger, and before it `embedding` [N, code_size] where there is one."""
        ...

    def write(self, builder: GraphBuilder, features: str) -> str:
        """Append the same computation; the name of the scores, float [N]. An embedding is named as the output."""
        ...


@dataclass(frozen=True, slots=True)
class Detector:
    """Calls what scores above a threshold anomalous; `quantile` is the share of scores that it was put above."""

    scorer: Scorer
    threshold: float
    quantile: float

    @property
    def tensors(self) -> list[Tensor]:
        """See `Model`."""
        return anomaly_outputs(self.scorer.code_size)

    def predict(self, features: Matrix) -> Outputs:
        """See `Model`."""
        outputs = self.scorer.predict(features)
        return {"anomalous": outputs["score"] > self.threshold, **outputs}

    def write(self, builder: GraphBuilder, features: str) -> None:
        """See `Model`."""
        scores = builder.node("Identity", self.scorer.write(builder, features), output="score")
        builder.node("Greater", scores, builder.constant(singles(self.threshold)), output="anomalous")

    def margins(self, outputs: Outputs) -> Floats:
        """See `Model`: the distance to the threshold."""
        margins: Floats = np.abs(outputs["score"] - self.threshold) / parity.spread(outputs["score"])
        return margins

    def evaluate(self, rows: Rows, seed: int) -> dict[str, Any]:  # noqa: ARG002 as the protocol has it
        """anomalous_share, threshold, and how scores are spread."""
        scores = rows.outputs["score"]
        if not len(scores):
            return {}
        return {
            "anomalous_share": float(np.mean(rows.outputs["anomalous"])),
            "threshold": self.threshold,
            "score_mean": finite(np.mean(scores)),
            **{name: finite(np.quantile(scores, share)) for name, share in QUANTILES.items()},
        }

    def describe(self, parts: dict[str, Rows], seed: int) -> dict[str, Any]:  # noqa: ARG002 as the protocol has it
        """See `Model`: a `score_histogram` of held-out rows, whose last bin also counts what is above it."""
        scores = parts["test"].outputs["score"]
        lowest, most = min(float(scores.min()), self.threshold), max(float(np.quantile(scores, 0.99)), self.threshold)
        highest = most + MARGIN * (most - lowest)
        counts, edges = np.histogram(np.minimum(scores, highest), BINS, (lowest, highest))
        return {
            "threshold": self.threshold,
            "quantile": self.quantile,
            "score_histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        }

    def warnings(self, parts: dict[str, Rows], metrics: dict[str, dict[str, Any]]) -> list[Finding]:  # noqa: ARG002
        """See `Model`."""
        called, expected = parts["test"].outputs["anomalous"], 1 - self.quantile
        share = float(np.mean(called))
        if share <= FAR_MORE * expected or np.count_nonzero(called) < SOME_ROWS:
            return []
        text = f"{share:.1%} of the held-out rows are called anomalous, where {expected:.1%} were expected"
        return [warning("threshold", f"{text}: add rows, or ask for a more regularised model")]


def detector(scorer: Scorer, rows: Matrix, quantile: float) -> Detector:
    """With the threshold that this share of the rows does not exceed."""
    return Detector(scorer, float(np.quantile(scorer.predict(rows)["score"], quantile)), quantile)
