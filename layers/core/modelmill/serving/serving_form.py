"""The form of a model that loads fastest: what onnxruntime makes of it on every machine, and weights to be mapped.

Its last level of optimization depends on the machine, so it is left to the one that loads.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from modelmill.models.manifest import SERVING_FILE, WEIGHTS_FILE
from modelmill.serving.bundle import BundleBroken
from modelmill.serving.load import LOAD_ERRORS, session_options
from modelmill.serving.reasons import reason
from modelmill.serving.tensors import Array

# Smaller ones stay in the graph.
MIN_WEIGHT_BYTES = 1024
# Onnxruntime works out constants beforehand, which may take more room than they save time.
MAX_GROWTH = 2
SLACK_BYTES = 1024 * 1024

_RELATIVE, _ABSOLUTE = 1e-3, 1e-4


def write(source: bytes | Path, folder: Path, form: str) -> ort.InferenceSession:
    """Write the serving form of a model into the folder; the session that it was made of, for comparison.

    form: `whole`, one file, or `split`, weights apart.

    Raises:
        BundleBroken: onnxruntime cannot load the model or cannot write it; there is no file then.
    """
    options = session_options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(folder / SERVING_FILE)
    if form == "split":
        prefix = "session.optimized_model_external_initializers_"
        options.add_session_config_entry(f"{prefix}file_name", WEIGHTS_FILE)
        options.add_session_config_entry(f"{prefix}min_size_in_bytes", str(MIN_WEIGHT_BYTES))
    try:
        session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except LOAD_ERRORS as error:
        discard(folder)
        raise BundleBroken(f"onnxruntime cannot load the model: {reason(error, folder)}") from error
    if not (folder / SERVING_FILE).exists():
        raise BundleBroken("onnxruntime did not write the model")
    return session


def discard(folder: Path) -> None:
    """Remove the serving form."""
    for name in (SERVING_FILE, WEIGHTS_FILE):
        (folder / name).unlink(missing_ok=True)


def sizes(folder: Path) -> dict[str, int]:
    """The files of the serving form that there are, and their bytes."""
    paths = [folder / name for name in (SERVING_FILE, WEIGHTS_FILE)]
    return {path.name: path.stat().st_size for path in paths if path.exists()}


def is_worth_it(folder: Path, original_bytes: int) -> bool:
    """Whether it is not much larger than the model."""
    return sum(sizes(folder).values()) <= MAX_GROWTH * original_bytes + SLACK_BYTES


def agree(expected: list[Array], given: list[Array]) -> bool:
    """Whether two runs gave the same but for rounding."""
    return len(expected) == len(given) and all(map(_agree, expected, given))


def _agree(expected: Array, given: Array) -> bool:
    if expected.shape != given.shape or expected.dtype != given.dtype:
        return False
    if expected.dtype.kind != "f":
        return bool(np.array_equal(expected, given))
    first, second = expected.astype(np.float64), given.astype(np.float64)
    largest: Any = np.max(np.abs(first), initial=0.0, where=np.isfinite(first))
    return bool(np.allclose(second, first, rtol=_RELATIVE, atol=_ABSOLUTE * largest, equal_nan=True))
