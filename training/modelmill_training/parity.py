"""The gate between training and the registry: the graph must predict what the trained model predicts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill_training.data import Floats
from modelmill_training.failures import ParityFailed

TOLERANCE = 1e-4
REQUIRED_SHARE = 0.999
MAX_ROWS = 10_000
WORST_ROWS = 5

type Outputs = dict[str, NDArray[Any]]


def compare_probabilities(source: Floats, outputs: dict[str, NDArray[Any]], labels: list[str]) -> dict[str, Any]:
    """The parity report of a classifier; a flipped label counts only where the source's own margin says so."""
    errors = np.abs(outputs["probabilities"].astype(np.float64) - source).max(axis=1)
    ranked = np.sort(source, axis=1)
    margins = ranked[:, -1] - ranked[:, -2]
    expected = np.array(labels, dtype=object)[source.argmax(axis=1)]
    flips = (outputs["label"] != expected) & (margins > TOLERANCE)
    return _report(errors, flips, source, outputs["probabilities"])


def compare_values(source: Floats, outputs: dict[str, NDArray[Any]], deviation: float) -> dict[str, Any]:
    """The parity report of a regressor: errors in units of the target's deviation."""
    errors = np.abs(outputs["value"] - source)[:, 0]
    return _report(errors / deviation, np.zeros(len(errors), dtype=bool), source, outputs["value"])


def compare_vectors(source: Floats, outputs: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """The parity report of an encoder: of each vector the largest error of its numbers, its length being 1."""
    errors: Floats = np.abs(outputs["vector"].astype(np.float64) - source).max(axis=1)
    return _report(errors, np.zeros(len(errors), dtype=bool), source, outputs["vector"])


def compare_outputs(source: Outputs, outputs: Outputs, chosen: str, margins: Floats) -> dict[str, Any]:
    """The parity report of a model of several outputs, one of which is chosen by the others, the last one above all.

    Errors are in units of the output's spread, or relative where a value is larger than that.

    Args:
        chosen: the output of choices; one that differs counts only where its margin says so.
        margins: [N] how far the source was from choosing otherwise, in units of the spread.
    """
    numbers = [name for name in source if name != chosen]
    errors: Floats = np.stack([_errors(source[name], outputs[name]) for name in numbers]).max(axis=0)
    flips = (outputs[chosen] != source[chosen]) & (margins > TOLERANCE)
    theirs, ours = (np.reshape(each[numbers[-1]], (len(errors), -1)) for each in (source, outputs))
    return _report(errors, flips, theirs, ours)


def spread(values: NDArray[Any]) -> float:
    """Deviation without the outermost hundredths, among which a few values may be larger than all others."""
    ends = np.quantile(values, [0.01, 0.99])
    return float(np.std(np.clip(values, *ends))) or 1.0


def _errors(source: NDArray[Any], graph: NDArray[Any]) -> Floats:
    """[N] the largest error of each row."""
    units = np.maximum(spread(source), np.abs(source))
    errors: Floats = (np.abs(graph.astype(np.float64) - source) / units).reshape(len(source), -1).max(axis=1)
    return errors


def compare_forecasts(source: dict[str, Floats], outputs: dict[str, NDArray[Any]], scale: Floats) -> dict[str, Any]:
    """The parity report of a forecaster: of each window the largest error of all outputs, in units of scale [N, 1]."""
    errors: Floats = np.stack([np.abs(outputs[name] - array) / scale for name, array in source.items()]).max(
        axis=(0, 2)
    )
    return _report(errors, np.zeros(len(errors), dtype=bool), source["values"], outputs["values"])


def _report(errors: Floats, flips: NDArray[np.bool_], source: NDArray[Any], graph: NDArray[Any]) -> dict[str, Any]:
    errors = np.where(np.isfinite(errors), errors, np.finfo(np.float64).max)
    within = float(np.mean((errors <= TOLERANCE) & ~flips))
    worst = np.argsort(-errors, kind="stable")[:WORST_ROWS]
    return {
        "passed": within >= REQUIRED_SHARE,
        "rows": len(errors),
        "tolerance": TOLERANCE,
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


def require(report: dict[str, Any]) -> None:
    """Nothing, when the gate is passed.

    Raises:
        ParityFailed: too many rows differ.
    """
    if not report["passed"]:
        raise ParityFailed(
            f"The exported model agrees with the trained one on {report['within']:.2%} of {report['rows']} held-out "
            f"rows, expected {REQUIRED_SHARE:.1%} within {TOLERANCE:g} (largest error {report['max_error']:.3g}, "
            f"{report['label_flips']} labels differ)."
        )
