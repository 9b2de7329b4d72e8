"""Load a bundle from training and run it on the reference rows of its manifest."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill.models.manifest import MANIFEST_FILE, MODEL_FILE, BundleFile, Manifest
from modelmill.models.signature import Tensor
from modelmill.serving import measured, serving_form
from modelmill.serving.bundle import BundleBroken
from modelmill.serving.load import LoadedModel, loaded_files, open_model
from modelmill.serving.predict import predict
from modelmill.serving.watchdog import Watchdog

TOLERANCE = 1e-4
# Of integer arithmetic, where on another processor a number may be rounded to the byte beside.
INT8_TOLERANCE = 1e-2
MAX_ROWS = 200
RUN_SECONDS = 30.0

_ORT_TYPES = {
    "FP64": "tensor(double)",
    "FP32": "tensor(float)",
    "BYTES": "tensor(string)",
    "BOOL": "tensor(bool)",
    "UINT8": "tensor(uint8)",
    "INT64": "tensor(int64)",
}


class TrialFailed(Exception):
    """The model does not do what its manifest says."""


def try_bundle(folder: Path, form: str) -> dict[str, Any]:
    """What the model costs, once its graph has the signature's tensors and gives the manifest's reference scores.

    The folder gets the serving form, which is what was tried, or none where the model itself does better.

    Raises:
        BundleBroken: onnxruntime refuses the model.
        ModelmillError: a run failed, or took too long.
        TrialFailed: something differs.
    """
    manifest = Manifest.from_json((folder / MANIFEST_FILE).read_bytes())
    if form != "none" and _write(folder, form):
        try:
            return {"placement": _try_as_served(folder, manifest)}
        except (BundleBroken, TrialFailed):
            serving_form.discard(folder)
    return {"placement": _try_as_served(folder, manifest)}


def _write(folder: Path, form: str) -> bool:
    try:
        serving_form.write(folder / MODEL_FILE, folder, form)
    except BundleBroken:
        return False
    if serving_form.is_worth_it(folder, (folder / MODEL_FILE).stat().st_size):
        return True
    serving_form.discard(folder)
    return False


def _try_as_served(folder: Path, manifest: Manifest) -> dict[str, Any]:
    written = {name: BundleFile("", size) for name, size in serving_form.sizes(folder).items()}
    manifest = replace(manifest, files=manifest.files | written)
    before, started = measured.resident_bytes(), time.perf_counter()
    model = open_model(manifest, folder)
    loaded = time.perf_counter()
    signature = manifest.signature
    for kind, declared, nodes in (
        ("input", signature.inputs, model.session.get_inputs()),
        ("output", signature.outputs, model.session.get_outputs()),
    ):
        if {tensor.name: _form(tensor) for tensor in declared} != {node.name: _node_form(node) for node in nodes}:
            raise TrialFailed(f"the graph's {kind}s are not those of the signature")
    _compare(model, manifest)
    memory = measured.resident_bytes() - before
    one = model.decode([_simplest(manifest)])
    return {
        "model_bytes": sum(manifest.files[name].bytes for name in loaded_files(manifest)),
        "load_ms": round((loaded - started) * 1e3, 1),
        "latency_us": measured.latency_us(lambda: model.session.run(model.encode.outputs, one)),
        "memory_bytes": max(0, memory),
    }


def _compare(model: LoadedModel, manifest: Manifest) -> None:
    rows = manifest.reference.get("rows", [])[:MAX_ROWS]
    if not rows and manifest.signature.kind != "tabular":
        raise TrialFailed("the manifest holds no reference rows")
    scores = _scores(model, [_simplest(manifest), *rows])[1:]
    expected = np.array(manifest.reference.get("scores", [])[:MAX_ROWS], dtype=np.float64)
    if expected.size != scores.size or len(expected) != len(rows):
        raise TrialFailed("the manifest does not hold one reference score for each output of each reference row")
    expected = expected.reshape(scores.shape)
    tolerance = _tolerance(manifest)
    spread = 1.0 if manifest.labels or not rows else float(np.std(expected))
    if not np.allclose(scores, expected, rtol=tolerance, atol=tolerance * spread, equal_nan=True):
        raise TrialFailed("the model gives other scores than the manifest's for its reference rows")


def _tolerance(manifest: Manifest) -> float:
    optimization = manifest.optimization
    is_int8 = optimization is not None and optimization["kept"] and optimization["asked"]["quantize"] == "int8"
    return INT8_TOLERANCE if is_int8 else TOLERANCE


def _simplest(manifest: Manifest) -> Any:
    """A row in which nothing is known; of a model without columns the first reference row."""
    if manifest.signature.kind != "tabular":
        return manifest.reference["rows"][0]
    return dict.fromkeys(feature.name for feature in manifest.signature.features)


def _scores(model: LoadedModel, rows: list[Any]) -> NDArray[np.float64]:
    outputs = predict(model, model.decode(rows), Watchdog(), time.monotonic() + RUN_SECONDS)
    if len(model.encode.predictions(outputs, len(rows))) != len(rows):
        raise TrialFailed("the model does not give one answer for each row")
    return outputs[-1].reshape(len(rows), -1).astype(np.float64)


def _form(tensor: Tensor) -> tuple[str, int, list[int]]:
    return (_ORT_TYPES.get(tensor.datatype, tensor.datatype), len(tensor.shape), tensor.shape[1:])


def _node_form(node: Any) -> tuple[str, int, list[int]]:
    """Dimensions that vary have names in the graph."""
    return (node.type, len(node.shape), [size if isinstance(size, int) else -1 for size in node.shape[1:]])
