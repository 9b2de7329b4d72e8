"""Load a model that came without a manifest, find out what it takes and gives, and run it on made-up inputs."""

import time
from pathlib import Path
from typing import Any

from modelmill.models.manifest import MODEL_FILE, SERVING_FILE
from modelmill.models.signature import Tensor
from modelmill.serving import measured, serving_form
from modelmill.serving.bundle import BundleBroken
from modelmill.serving.load import open_session
from modelmill.serving.made_up import Words
from modelmill.serving.made_up_runs import Ran, run, try_guesses
from modelmill.serving.watchdog import Watchdog


def try_upload(folder: Path, form: str) -> dict[str, Any]:
    """What the model takes and gives, its labels as far as its graph tells them, and what it costs.

    The folder gets the serving form, where that is as good as the model.

    Raises:
        BundleBroken: onnxruntime cannot load the model.
        BundleRejected: a tensor is of a type that is not served, or runs fail.
    """
    rewritten, labels = _without_maps(folder / MODEL_FILE)
    words = _words(folder / MODEL_FILE)
    if rewritten is not None and form == "none":
        form = "whole"
    expected = _write(folder, rewritten, form, words) if form != "none" else None
    served, placement = _run_as_served(folder, words)
    if expected is not None and not serving_form.agree(expected, served.arrays):
        _serve_as_it_came(folder, rewritten)
        served, placement = _run_as_served(folder, words)
    outputs = served.outputs
    if served.is_classifier:
        outputs = _label_first(outputs)
        labels = labels or _labels(folder, outputs[0].name)
    return {
        "inputs": [tensor._asdict() for tensor in served.inputs],
        "outputs": [tensor._asdict() for tensor in outputs],
        "labels": labels or None,
        "placement": placement,
    }


def _without_maps(path: Path) -> tuple[bytes | None, list[str] | None]:
    """The model with tensors for lists of maps, None where it has none of these; and the labels that these had."""
    content = path.read_bytes()
    if b"ZipMap" not in content:
        return None, None
    # It takes a quarter of a second and memory, and few models need it.
    from modelmill.serving import class_labels

    model = class_labels.read(content)
    labels = class_labels.unzip(model)
    return (None, None) if labels is None else (model.SerializeToString(), labels)


def _write(folder: Path, rewritten: bytes | None, form: str, words: Words) -> list[Any] | None:
    """Write the serving form; the outputs of the session that it was made of, None where it is not served."""
    try:
        session = serving_form.write(rewritten or folder / MODEL_FILE, folder, form)
    except BundleBroken:
        # Whether the model loads without being written is seen next.
        _serve_as_it_came(folder, rewritten)
        return None
    arrays = try_guesses(session, folder, words).arrays
    if serving_form.is_worth_it(folder, (folder / MODEL_FILE).stat().st_size):
        return arrays
    _serve_as_it_came(folder, rewritten)
    return None


def _serve_as_it_came(folder: Path, rewritten: bytes | None) -> None:
    serving_form.discard(folder)
    if rewritten is not None:
        (folder / SERVING_FILE).write_bytes(rewritten)


def _run_as_served(folder: Path, words: Words) -> tuple[Ran, dict[str, Any]]:
    """What `infer` loads, with what it costs; see `Manifest.placement`."""
    path = folder / SERVING_FILE if (folder / SERVING_FILE).exists() else folder / MODEL_FILE
    before, started = measured.resident_bytes(), time.perf_counter()
    session = open_session(path)
    loaded = time.perf_counter()
    ran = try_guesses(session, folder, words)
    memory = measured.resident_bytes() - before
    tensors, watchdog = ran.guess.tensors(ran.inputs, 1) or {}, Watchdog()
    return ran, {
        "model_bytes": sum(serving_form.sizes(folder).values()) or path.stat().st_size,
        "load_ms": round((loaded - started) * 1e3, 1),
        "latency_us": measured.latency_us(lambda: run(session, tensors, watchdog, folder)),
        "memory_bytes": max(0, memory),
    }


def _words(path: Path) -> Words:
    content = path.read_bytes()
    if b"cats_strings" not in content:
        return {}
    from modelmill.serving import class_labels

    return class_labels.words_of(class_labels.read(content))


def _label_first(outputs: list[Tensor]) -> list[Tensor]:
    """The scores last, as everybody who has labels expects."""
    return sorted(outputs, key=lambda tensor: len(tensor.shape))


def _labels(folder: Path, output: str) -> list[str] | None:
    from modelmill.serving import class_labels

    return class_labels.labels_of(class_labels.read((folder / MODEL_FILE).read_bytes()), output)
