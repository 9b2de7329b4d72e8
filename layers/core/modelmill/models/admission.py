"""Taking in a bundle that somebody else made: nothing in it is believed before it is checked.

The graph is first read as bytes (`graph_facts`); only then a process that can be killed loads and runs it.
"""

import hashlib
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelmill.models.graph_facts import read_facts
from modelmill.models.manifest import MANIFEST_FILE, MODEL_FILE, BundleFile, Manifest
from modelmill.models.probe_process import probe
from modelmill.models.rejection import BundleRejected
from modelmill.models.signature import Feature, Signature, Tensor

__all__ = ["AdmittedBundle", "BundleRejected", "admit_bundle"]

MAX_BUNDLE_BYTES = 300 * 1024 * 1024
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
MAX_COLUMNS = 10_000
MAX_CLASSES = 10_000

IR_VERSIONS = range(3, 14)
# The newest operator sets that are taken, by domain; other domains are not.
OPSETS = {"": 26, "ai.onnx": 26, "ai.onnx.ml": 5}

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_TENSOR_OF_TYPE = {
    "number": "numeric",
    "integer": "numeric",
    "boolean": "numeric",
    "timestamp": "numeric",
    "category": "categorical",
}


@dataclass(frozen=True, slots=True)
class AdmittedBundle:
    """A bundle that can be served; `bytes` counts all of its files."""

    manifest: Manifest
    manifest_sha256: str
    bytes: int


def admit_bundle(folder: Path, run_probe: Callable[[Path], None] = probe) -> AdmittedBundle:
    """Check the bundle in a flat folder.

    Raises:
        BundleRejected: with the first thing that is wrong.
    """
    sizes = _file_sizes(folder)
    content = _manifest_bytes(folder, sizes)
    manifest = _manifest(content)
    _check_files(folder, sizes, manifest.files)
    check_signature(manifest)
    check_graph((folder / MODEL_FILE).read_bytes())
    run_probe(folder)
    return AdmittedBundle(manifest, hashlib.sha256(content).hexdigest(), sum(sizes.values()))


def check_graph(content: bytes) -> None:
    """Refuse graphs that reach outside of their file or need what onnxruntime's own operators do not give.

    Raises:
        BundleRejected: `external_data` or `unsupported_onnx`.
    """
    try:
        facts = read_facts(content)
    except ValueError as error:
        raise BundleRejected("unsupported_onnx", f"{MODEL_FILE} is not a usable ONNX file: {error}") from error
    if facts.external:
        raise BundleRejected("external_data", f"{MODEL_FILE} refers to tensors outside of the file")
    if facts.ir_version not in IR_VERSIONS or facts.nodes == 0:
        raise BundleRejected("unsupported_onnx", f"IR version {facts.ir_version} with {facts.nodes} nodes")
    if facts.functions:
        raise BundleRejected("unsupported_onnx", "the graph defines functions of its own")
    for domain, version in sorted(facts.opsets):
        if not 1 <= version <= OPSETS.get(domain, 0):
            raise BundleRejected("unsupported_onnx", f"operator set {domain[:80]!r} version {version}")
    foreign = sorted(facts.domains - OPSETS.keys())
    if foreign:
        raise BundleRejected("unsupported_onnx", f"operators of the domain {foreign[0][:80]!r}")


def check_signature(manifest: Manifest) -> None:
    """The tensors must be just what the columns and labels make them.

    Raises:
        BundleRejected: `signature_invalid`.
    """
    problem = _problem_of_columns(manifest.signature.features) or _problem_of_labels(manifest)
    if problem is None and manifest.signature != _expected_signature(manifest):
        problem = "its tensors do not follow from its columns and labels"
    if problem is not None:
        raise BundleRejected("signature_invalid", f"the signature cannot be used: {problem}")


def _file_sizes(folder: Path) -> dict[str, int]:
    sizes = {}
    for path in folder.iterdir():
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or not _FILE_NAME.match(path.name):
            raise BundleRejected("artifact_corrupt", f"{path.name[:80]!r} is not a plain file with a plain name")
        sizes[path.name] = status.st_size
    if sum(sizes.values()) > MAX_BUNDLE_BYTES:
        raise BundleRejected("bundle_too_large", f"the bundle has more than {MAX_BUNDLE_BYTES >> 20} MB")
    return sizes


def _manifest_bytes(folder: Path, sizes: dict[str, int]) -> bytes:
    if MANIFEST_FILE not in sizes:
        raise BundleRejected("artifact_missing", f"there is no {MANIFEST_FILE}")
    if sizes[MANIFEST_FILE] > MAX_MANIFEST_BYTES:
        raise BundleRejected("bundle_too_large", f"{MANIFEST_FILE} has more than {MAX_MANIFEST_BYTES >> 20} MB")
    return (folder / MANIFEST_FILE).read_bytes()


def _manifest(content: bytes) -> Manifest:
    try:
        manifest = Manifest.from_json(content)
        manifest.to_json()
    except (ValueError, RecursionError) as error:
        raise BundleRejected("artifact_corrupt", f"{MANIFEST_FILE} cannot be read: {str(error)[:200]}") from error
    metrics = manifest.metrics
    if not isinstance(metrics, dict) or not all(
        isinstance(part, dict) for part in (*metrics.values(), manifest.reference)
    ):
        raise BundleRejected("artifact_corrupt", f"{MANIFEST_FILE} holds metrics or reference rows of a wrong form")
    return manifest


def _check_files(folder: Path, sizes: dict[str, int], listed: dict[str, BundleFile]) -> None:
    missing = sorted({*listed, MODEL_FILE} - sizes.keys())
    if missing:
        raise BundleRejected("artifact_missing", f"there is no {missing[0][:80]}")
    extra = sorted(sizes.keys() - {*listed, MANIFEST_FILE} | {MANIFEST_FILE} & listed.keys())
    if extra or MODEL_FILE not in listed:
        raise BundleRejected("artifact_corrupt", f"the manifest does not list {(extra or [MODEL_FILE])[0]!r} rightly")
    for name, file in listed.items():
        with (folder / name).open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        if sizes[name] != file.bytes or sha256 != file.sha256:
            raise BundleRejected("artifact_corrupt", f"{name} is not what the manifest lists")


def _problem_of_columns(features: list[Feature]) -> str | None:
    if not 0 < len(features) <= MAX_COLUMNS:
        return f"it has {len(features)} columns"
    if not all(isinstance(text, str) for each in features for text in (each.name, each.type, each.input)):
        return "names and types of columns are not strings"
    if len({feature.name for feature in features}) != len(features):
        return "two columns have the same name"
    if not all(type(feature.index) is int for feature in features):
        return "places of columns are not whole numbers"
    places = {"numeric": 0, "categorical": 0}
    for feature in sorted(features, key=lambda feature: (feature.input, feature.index)):
        tensor = _TENSOR_OF_TYPE.get(feature.type)
        if tensor != feature.input or feature.index != places[tensor]:
            return f"column {feature.name[:80]!r} is not where its type belongs"
        places[tensor] += feature.width
    return None


def _problem_of_labels(manifest: Manifest) -> str | None:
    labels = manifest.labels
    if manifest.task == "regression":
        return None if labels is None else "a regression has no labels"
    if manifest.task not in ("binary", "multiclass"):
        return f"no task is called {manifest.task!r}"
    if not isinstance(labels, list) or not 2 <= len(labels) <= MAX_CLASSES:
        return "a classification has two or more labels"
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) != len(labels):
        return "labels are not distinct strings"
    return None


def _expected_signature(manifest: Manifest) -> Signature:
    features, labels = manifest.signature.features, manifest.labels
    widths = {"numeric": 0, "categorical": 0}
    for feature in features:
        widths[feature.input] += feature.width
    numeric = Tensor("numeric", "FP64", [-1, widths["numeric"]])
    categorical = Tensor("categorical", "BYTES", [-1, widths["categorical"]])
    inputs = [tensor for tensor in (numeric, categorical) if tensor.shape[1]]
    if labels is None:
        return Signature("tabular", inputs, [Tensor("value", "FP64", [-1, 1])], features)
    outputs = [Tensor("label", "BYTES", [-1]), Tensor("probabilities", "FP32", [-1, len(labels)])]
    return Signature("tabular", inputs, outputs, features)
