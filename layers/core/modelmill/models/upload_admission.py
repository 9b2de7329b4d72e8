"""Taking in a model that a tenant uploaded: one ONNX file, of which nothing is known but its bytes."""

import hashlib
import platform
import time
from pathlib import Path
from typing import Any, get_args

from modelmill.models.graph_checks import check_graph
from modelmill.models.graph_facts import GraphFacts
from modelmill.models.manifest import MODEL_FILE, BundleFile, Manifest
from modelmill.models.probe_process import Finding, probe
from modelmill.models.rejection import BundleRejected
from modelmill.models.serving_files import AdmittedBundle, Probe, form_for, seal, serving_files
from modelmill.models.signature import Datatype, Signature, Tensor
from modelmill.timestamps import iso

MAX_MODEL_BYTES = 250 * 1024 * 1024
MAX_TENSORS = 1000
MAX_NAME = 256
MAX_RANK = 32
MAX_LABELS = 10_000
MAX_TEXT = 80

_SCORES = ("FP16", "FP32", "FP64")


def admit_upload(folder: Path, labels: list[str] | None, run_probe: Probe = probe) -> AdmittedBundle:
    """Check the MODEL_FILE in a folder, and add the files that serving loads and the manifest.

    labels: names of the classes in the order of the last output's last axis, from whoever uploaded the model.

    Raises:
        BundleRejected: with the first thing that is wrong.
    """
    path = folder / MODEL_FILE
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise BundleRejected(
            "bundle_too_large", f"the file has more than {MAX_MODEL_BYTES >> 20} MB; make the model smaller"
        )
    content = path.read_bytes()
    facts = check_graph(content)
    finding = run_probe(folder, form_for(facts))
    files = {MODEL_FILE: BundleFile(hashlib.sha256(content).hexdigest(), len(content))} | serving_files(folder, content)
    signature = Signature("tensor", _tensors(finding, "inputs"), _tensors(finding, "outputs"), [])
    return seal(folder, _manifest(signature, _labels(signature, labels, finding), facts, finding, files))


def _manifest(
    signature: Signature, labels: list[str] | None, facts: GraphFacts, finding: Finding, files: dict[str, BundleFile]
) -> Manifest:
    placement = finding.get("placement")
    return Manifest(
        kind="tensor",
        task=None if labels is None else "binary" if len(labels) == 2 else "multiclass",
        algorithm="uploaded",
        target=None,
        spec={},
        signature=signature,
        labels=labels,
        metrics={},
        parity={},
        split={},
        lineage={"source": "upload", "sha256": files[MODEL_FILE].sha256},
        libraries=_libraries(facts),
        files=files,
        created_at=iso(time.time()),
        placement=placement if isinstance(placement, dict) else {},
    )


def _libraries(facts: GraphFacts) -> dict[str, str]:
    """What the file says of its origin, which may be anything."""
    opsets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in sorted(facts.opsets)[:10])
    producer = f"{facts.producer} {facts.producer_version}".strip()
    told = {
        "producer": producer,
        "opset": opsets,
        "ir_version": str(facts.ir_version),
        "python": platform.python_version(),
    }
    return {name: text for name, each in told.items() if (text := _printable(each))}


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:MAX_TEXT]).strip()


def _tensors(finding: Finding, kind: str) -> list[Tensor]:
    found = finding.get(kind)
    if not isinstance(found, list) or not 0 < len(found) <= MAX_TENSORS:
        raise BundleRejected("signature_unsupported", f"a model has 1 to {MAX_TENSORS} {kind}; check what it returns")
    tensors = [_tensor(each) for each in found]
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise BundleRejected("signature_unsupported", f"two {kind} have the same name; give each its own")
    return tensors


def _tensor(found: Any) -> Tensor:
    name, datatype, shape = (
        (found.get(key) for key in ("name", "datatype", "shape")) if isinstance(found, dict) else (None,) * 3
    )
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        message = f"an input or output has no usable name; names are 1 to {MAX_NAME} printable characters"
        raise BundleRejected("signature_unsupported", message)
    if datatype not in get_args(Datatype) or not _is_shape(shape):
        raise BundleRejected("signature_unsupported", f"{name[:MAX_TEXT]!r} is no tensor that can be served")
    return Tensor(name, datatype, shape)


def _is_shape(shape: Any) -> bool:
    return (
        isinstance(shape, list) and len(shape) <= MAX_RANK and all(type(size) is int and size >= -1 for size in shape)
    )


def _labels(signature: Signature, wanted: list[str] | None, finding: Finding) -> list[str] | None:
    """Those that were sent, else those in the graph.

    Raises:
        BundleRejected: what was sent does not fit the last output.
    """
    if wanted is None:
        found = finding.get("labels")
        usable = isinstance(found, list) and 2 <= len(found) <= MAX_LABELS and len(set(map(str, found))) == len(found)
        return [str(label) for label in found] if usable and found else None
    scores = signature.outputs[-1]
    form = f"the last output, {scores.name[:MAX_TEXT]!r}, is {scores.datatype} {scores.shape}"
    if len(signature.outputs) > 2 or scores.datatype not in _SCORES or len(scores.shape) != 2:
        message = f"labels are for a model whose last output is a matrix of one score per class; {form}"
        raise BundleRejected("labels_mismatch", message)
    if scores.shape[1] not in (-1, len(wanted)):
        raise BundleRejected("labels_mismatch", f"{len(wanted)} labels were sent, and {form}; send {scores.shape[1]}")
    return wanted
