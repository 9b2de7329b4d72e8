"""The gate between training and the registry: the graph must predict what the trained model predicts."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelmill_training.data import Floats
from modelmill_training.failures import ParityFailed

MAX_ROWS = 10_000
WORST_ROWS = 5

type Outputs = dict[str, NDArray[Any]]
type Report = dict[str, Any]


class Bound(NamedTuple):
    """How many rows must agree, and how well: a difference of probability, or in units of the target's spread."""

    tolerance: float
    share: float


EXACT = Bound(tolerance=1e-4, share=0.999)


def compare_probabilities(source: Floats, outputs: Outputs, labels: list[str], bound: Bound = EXACT) -> Report:
    """The parity report of a classifier; a flipped label counts only where the source's own margin says so."""
    errors = np.abs(outputs["probabilities"].astype(np.float64) - source).max(axis=1)
    ranked = np.sort(source, axis=1)
    margins = ranked[:, -1] - ranked[:, -2]
    expected = np.array(labels, dtype=object)[source.argmax(axis=1)]
    flips = (outputs["label"] != expected) & (margins > bound.tolerance)
    return _report(errors, flips, source, outputs["probabilities"], bound)


def compare_values(source: Floats, outputs: Outputs, deviation: float, bound: Bound = EXACT) -> Report:
    """The parity report of a regressor: errors in units of the target's deviation."""
    errors = np.abs(outputs["value"] - source)[:, 0]
    return _report(errors / deviation, np.zeros(len(errors), dtype=bool), source, outputs["value"], bound)


def compare_vectors(source: Floats, outputs: Outputs, bound: Bound = EXACT) -> Report:
    """The parity report of an encoder: how far each vector lies from the source's, 1 being the opposite one."""
    errors: Floats = np.linalg.norm(outputs["vector"].astype(np.float64) - source, axis=1) / 2
    return _report(errors, np.zeros(len(errors), dtype=bool), source, outputs["vector"], bound)


def compare_outputs(source: Outputs, outputs: Outputs, chosen: str, margins: Floats, bound: Bound = EXACT) -> Report:
    """The parity report of a model of several outputs, one of which is chosen by the others, the last one above all.

    Errors are in units of the output's spread, or relative where a value is larger than that.

    Args:
        chosen: the output of choices; one that differs counts only where its margin says so.
        margins: [N] how far the source was from choosing otherwise, in units of the spread.
    """
    numbers = [name for name in source if name != chosen]
    errors: Floats = np.stack([_errors(source[name], outputs[name]) for name in numbers]).max(axis=0)
    flips = (outputs[chosen] != source[chosen]) & (margins > bound.tolerance)
    theirs, ours = (np.reshape(each[numbers[-1]], (len(errors), -1)) for each in (source, outputs))
    return _report(errors, flips, theirs, ours, bound)


def spread(values: NDArray[Any]) -> float:
    """Deviation without the outermost hundredths, among which a few values may be larger than all others."""
    ends = np.quantile(values, [0.01, 0.99])
    return float(np.std(np.clip(values, *ends))) or 1.0


def _errors(source: NDArray[Any], graph: NDArray[Any]) -> Floats:
    """[N] the largest error of each row."""
    units = np.maximum(spread(source), np.abs(source))
    errors: Floats = (np.abs(graph.astype(np.float64) - source) / units).reshape(len(source), -1).max(axis=1)
    return errors


def compare_forecasts(source: dict[str, Floats], outputs: Outputs, scale: Floats, bound: Bound = EXACT) -> Report:
    """The parity report of a forecaster: of each window the largest error of all outputs, in units of scale [N, 1]."""
    errors: Floats = np.stack([np.abs(outputs[name] - array) / scale for name, array in source.items()]).max(
        axis=(0, 2)
    )
    return _report(errors, np.zeros(len(errors), dtype=bool), source["values"], outputs["values"], bound)


def _report(
    errors: Floats, flips: NDArray[np.bool_], source: NDArray[Any], graph: NDArray[Any], bound: Bound
) -> Report:
    errors = np.where(np.isfinite(errors), errors, np.finfo(np.float64).max)
    within = float(np.mean((errors <= bound.tolerance) & ~flips))
    worst = np.argsort(-errors, kind="stable")[:WORST_ROWS]
    return {
        "passed": within >= bound.share,
        "rows": len(errors),
        "tolerance": bound.tolerance,
        "within": within,
        "max_error": float(errors.max()),
        "label_flips": int(np.count_nonzero(flips)),
        "worst": [
            {
                "row": int(row),
                "error": float(errors[row]),
                "source": np.nan_to_num(source[row]).astype(float).tolist(),
                "onnx": np.nan_to_num(graph[row]).astype(float).tolist(),
            }
            for row in worst
        ],
    }


def require(report: Report) -> None:
    """Nothing, when the gate is passed.

    Raises:
        ParityFailed: too many rows differ.
    """
    if not report["passed"]:
        raise ParityFailed(
            f"The exported model agrees with the trained one on {report['within']:.2%} of {report['rows']} held-out "
            f"rows, expected {EXACT.share:.1%} within {EXACT.tolerance:g} (largest error {report['max_error']:.3g}, "
            f"{report['label_flips']} labels differ)."
        )
