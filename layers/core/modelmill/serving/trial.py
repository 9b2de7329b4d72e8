"""Load a bundle and run it on the reference rows of its manifest."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill.models.manifest import MANIFEST_FILE, Manifest
from modelmill.models.signature import Tensor
from modelmill.serving.load import LoadedModel, open_model
from modelmill.serving.predict import predict
from modelmill.serving.watchdog import Watchdog

TOLERANCE = 1e-4
MAX_ROWS = 200
RUN_SECONDS = 30.0

_ORT_TYPES = {"FP64": "tensor(double)", "FP32": "tensor(float)", "BYTES": "tensor(string)"}


class TrialFailed(Exception):
    """The model does not do what its manifest says."""


def try_bundle(folder: Path) -> None:
    """Pass when the graph has the signature's tensors and gives the manifest's reference scores.

    Raises:
        BundleBroken: onnxruntime refuses the model.
        ModelmillError: a run failed, or took too long.
        TrialFailed: something differs.
    """
    manifest = Manifest.from_json((folder / MANIFEST_FILE).read_bytes())
    model = open_model(manifest, folder)
    signature = manifest.signature
    for kind, declared, nodes in (
        ("input", signature.inputs, model.session.get_inputs()),
        ("output", signature.outputs, model.session.get_outputs()),
    ):
        if {tensor.name: _form(tensor) for tensor in declared} != {node.name: _node_form(node) for node in nodes}:
            raise TrialFailed(f"the graph's {kind}s are not those of the signature")
    _compare(model, manifest)


def _compare(model: LoadedModel, manifest: Manifest) -> None:
    rows = manifest.reference.get("rows", [])[:MAX_ROWS]
    missing: list[Any] = [dict.fromkeys(feature.name for feature in manifest.signature.features)]
    scores = _scores(model, missing + rows)[1:]
    expected = np.array(manifest.reference.get("scores", [])[:MAX_ROWS], dtype=np.float64)
    if expected.size != scores.size or len(expected) != len(rows):
        raise TrialFailed("the manifest does not hold one reference score for each output of each reference row")
    expected = expected.reshape(scores.shape)
    tolerance = TOLERANCE * (1.0 if manifest.labels or not rows else float(np.std(expected)))
    if not np.allclose(scores, expected, rtol=TOLERANCE, atol=tolerance, equal_nan=True):
        raise TrialFailed("the model gives other scores than the manifest's for its reference rows")


def _scores(model: LoadedModel, rows: list[Any]) -> NDArray[np.float64]:
    outputs = predict(model, model.decode(rows), Watchdog(), time.monotonic() + RUN_SECONDS)
    if len(model.encode.predictions(outputs)) != len(rows):
        raise TrialFailed("the model does not give one answer for each row")
    return outputs[-1].reshape(len(rows), -1).astype(np.float64)


def _form(tensor: Tensor) -> tuple[str, int, list[int]]:
    return (_ORT_TYPES.get(tensor.datatype, tensor.datatype), len(tensor.shape), tensor.shape[1:])


def _node_form(node: Any) -> tuple[str, int, list[int]]:
    return (node.type, len(node.shape), node.shape[1:])
