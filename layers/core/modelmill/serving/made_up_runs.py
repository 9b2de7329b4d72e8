"""Runs of a session that nobody knows on inputs that nobody sent."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from modelmill.models.rejection import BundleRejected
from modelmill.models.signature import Datatype, Tensor
from modelmill.serving import made_up
from modelmill.serving.predict import RUN_ERRORS
from modelmill.serving.reasons import reason
from modelmill.serving.tensors import Array, Tensors
from modelmill.serving.watchdog import Watchdog

# What a run gets when it serves.
RUN_SECONDS = 25.0
MAX_OUTPUT_BYTES = 64 * 1024 * 1024

DATATYPES: dict[str, Datatype] = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}


class RunFailed(Exception):
    """The model fails on these inputs."""


@dataclass(frozen=True, slots=True)
class Ran:
    """Successful runs: on one instance, and on two where an input's first dimension is variable.

    arrays: the outputs of all runs, one after the other.
    is_classifier: it gives labels [N] and scores [N, classes], in whichever order.
    """

    guess: made_up.Guess
    inputs: list[Tensor]
    outputs: list[Tensor]
    arrays: list[Array]
    is_classifier: bool


def try_guesses(session: ort.InferenceSession, folder: Path, words: made_up.Words) -> Ran:
    """Run the session on the likeliest inputs with which it runs; `words`: see `made_up.Guess`.

    Raises:
        BundleRejected: `signature_unsupported`; `probe_timeout`; `probe_failed`, with what the likeliest led to.
    """
    inputs = [_tensor("input", node) for node in session.get_inputs()]
    for node in session.get_outputs():
        _tensor("output", node)
    watchdog, first = Watchdog(), ""
    for guess in made_up.guesses(inputs, words):
        try:
            return _try(session, guess, inputs, watchdog, folder)
        except RunFailed as error:
            first = first or str(error)
    raise BundleRejected("probe_failed", f"the model does not run on made-up inputs: {first}")


def run(session: ort.InferenceSession, tensors: Tensors, watchdog: Watchdog, folder: Path) -> list[Array]:
    """The outputs.

    Raises:
        RunFailed: the graph fails on these tensors, or gives too much.
        BundleRejected: `probe_timeout`.
    """
    options = watchdog.watch(time.monotonic() + RUN_SECONDS)
    try:
        outputs = session.run(None, tensors, options)
    except (*RUN_ERRORS, MemoryError, ValueError) as error:
        if options.terminate:
            message = f"one run takes longer than {RUN_SECONDS:.0f} s, on inputs {made_up.describe(tensors)}"
            raise BundleRejected("probe_timeout", message) from error
        raise RunFailed(f"{made_up.describe(tensors)}: {reason(error, folder)}") from error
    finally:
        watchdog.release()
    if not all(isinstance(output, np.ndarray) for output in outputs):
        raise RunFailed("an output is not a tensor")
    size = sum(output.nbytes for output in outputs)
    if size > MAX_OUTPUT_BYTES:
        given = made_up.describe(tensors)
        raise RunFailed(f"{given}: the outputs have {size >> 20} MB, more than {MAX_OUTPUT_BYTES >> 20} MB")
    return outputs  # type: ignore[no-any-return]


def _try(
    session: ort.InferenceSession, guess: made_up.Guess, inputs: list[Tensor], watchdog: Watchdog, folder: Path
) -> Ran:
    varies = any(tensor.shape[:1] == [-1] for tensor in inputs)
    runs = []
    for batch in (1, 2) if varies else (1,):
        tensors = guess.tensors(inputs, batch)
        if tensors is None:
            raise RunFailed(f"inputs would have more than {made_up.MAX_ELEMENTS} elements")
        runs.append(run(session, tensors, watchdog, folder))
    batches = {node.shape[0] for node in session.get_inputs() if node.shape and isinstance(node.shape[0], str)}
    nodes = session.get_outputs()
    for node, *arrays in zip(nodes, *runs, strict=True):
        if node.shape and node.shape[0] in batches:
            _check_rows(node.name, arrays)
    only_batch = all(-1 not in tensor.shape[1:] for tensor in inputs)
    outputs = [_output(node, list(arrays), only_batch) for node, *arrays in zip(nodes, *runs, strict=True)]
    return Ran(guess, inputs, outputs, [array for one in runs for array in one], varies and _classifies(outputs, runs))


def _check_rows(name: str, arrays: list[Array]) -> None:
    for batch, array in enumerate(arrays, 1):
        if array.shape[:1] != (batch,):
            raise RunFailed(f"output {name[:80]!r} has shape {list(array.shape)} for a batch of {batch}")


def _tensor(kind: str, node: Any) -> Tensor:
    """An input or output as the session tells it."""
    if node.type not in DATATYPES:
        message = (
            f"{kind} {node.name[:80]!r} is a {node.type[:80]}; expected a tensor of {', '.join(DATATYPES.values())}"
        )
        raise BundleRejected("signature_unsupported", f"{message}. Cast it in the model, or leave it out")
    shape = [size if isinstance(size, int) and size >= 0 else -1 for size in node.shape or ()]
    if 0 in shape and kind == "input":
        message = (
            f"input {node.name[:80]!r} has the shape {shape}; nothing fits. Export with a variable dimension there"
        )
        raise BundleRejected("signature_unsupported", message)
    return Tensor(node.name, DATATYPES[node.type], shape)


def _output(node: Any, arrays: list[Array], only_batch: bool) -> Tensor:
    """An output as it is declared, but for what its runs prove wrong or make known."""
    declared, shapes = _tensor("output", node), [array.shape for array in arrays]
    if any(len(shape) != len(declared.shape) for shape in shapes):
        shape = [-1] * len(shapes[0])
    else:
        shape = [
            size if {size} == set(seen) else -1
            for size, seen in zip(declared.shape, zip(*shapes, strict=True), strict=True)
        ]
    if only_batch and len(shape) == 2 and len({seen[-1] for seen in shapes}) == 1 and shapes[0][-1]:
        shape[-1] = shapes[0][-1]
    return Tensor(declared.name, declared.datatype, shape)


def _classifies(outputs: list[Tensor], runs: list[list[Array]]) -> bool:
    by_rank = {len(tensor.shape): tensor for tensor in outputs}
    if len(outputs) != 2 or by_rank.keys() != {1, 2}:
        return False
    types_fit = by_rank[1].datatype in ("BYTES", "INT64") and by_rank[2].datatype in ("FP16", "FP32", "FP64")
    return types_fit and all(array.shape[:1] == (batch,) for batch, one in enumerate(runs, 1) for array in one)
