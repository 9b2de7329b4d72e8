"""Taking in a model that somebody else made: nothing in it is believed before it is checked.

The graph is first read as bytes (`graph_facts`); only then a process that can be killed loads and runs it, and writes
the form in which it is served. What that process leaves is checked like everything else.
"""

import hashlib
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from modelmill.models.graph_checks import check_graph, check_serving_graph
from modelmill.models.graph_facts import GraphFacts
from modelmill.models.manifest import MANIFEST_FILE, MODEL_FILE, SERVING_FILE, WEIGHTS_FILE, BundleFile, Manifest
from modelmill.models.probe_process import Finding, Form, probe
from modelmill.models.rejection import BundleRejected
from modelmill.models.signature_checks import check_signature
from modelmill.models.uploaded import Upload, manifest_of, placement_of

__all__ = ["AdmittedBundle", "BundleRejected", "admit_bundle", "admit_upload", "check_graph"]

MAX_BUNDLE_BYTES = 300 * 1024 * 1024
MAX_MANIFEST_BYTES = 16 * 1024 * 1024

# From here on weights load faster from a file of their own, which is mapped and not parsed.
MIN_WEIGHTS = 1024 * 1024
# From here on optimizing the graph beforehand is felt. Smaller graphs, such as a forest, gain nothing.
MIN_NODES = 32

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_WRITTEN = (SERVING_FILE, WEIGHTS_FILE)

type Probe = Callable[[Path, Form], Finding]


@dataclass(frozen=True, slots=True)
class AdmittedBundle:
    """A bundle that can be served; `bytes` counts all of its files."""

    manifest: Manifest
    manifest_sha256: str
    bytes: int


def admit_bundle(folder: Path, run_probe: Probe = probe) -> AdmittedBundle:
    """Check the bundle that training left in a flat folder, add the form that is served, and rewrite its manifest.

    Raises:
        BundleRejected: with the first thing that is wrong.
    """
    sizes = _file_sizes(folder, MAX_BUNDLE_BYTES)
    manifest = _manifest(_manifest_bytes(folder, sizes))
    _check_files(folder, sizes, manifest.files)
    check_signature(manifest)
    tried = _try(folder, manifest.files, run_probe)
    return _complete(folder, replace(manifest, files=tried.files, placement=placement_of(tried.finding)))


def admit_upload(folder: Path, labels: list[str] | None, run_probe: Probe = probe) -> AdmittedBundle:
    """Check the `model.onnx` that lies alone in a folder, and add the form that is served and the manifest.

    labels: the classes in the order of the last output's scores, where the uploader named them.

    Raises:
        BundleRejected: with the first thing that is wrong.
    """
    sizes = _file_sizes(folder, MAX_BUNDLE_BYTES)
    if sizes.keys() != {MODEL_FILE}:
        raise BundleRejected("artifact_missing", f"expected {MODEL_FILE} alone, got {sorted(sizes)[:5]}")
    model = _listed(folder / MODEL_FILE)
    tried = _try(folder, {MODEL_FILE: model}, run_probe)
    return _complete(folder, manifest_of(Upload(tried.facts, model.sha256, labels), tried.finding, tried.files))


@dataclass(frozen=True, slots=True)
class _Tried:
    """A model that was run; `files` are all that the manifest lists now."""

    facts: GraphFacts
    finding: Finding
    files: dict[str, BundleFile]


def _try(folder: Path, listed: dict[str, BundleFile], run_probe: Probe) -> _Tried:
    """Read the graph, run it, and look at what that left."""
    facts = check_graph((folder / MODEL_FILE).read_bytes())
    finding = run_probe(folder, _form(facts))
    sizes = _file_sizes(folder, 2 * MAX_BUNDLE_BYTES)
    written = {name: _listed(folder / name) for name in _WRITTEN if name in sizes}
    if written:
        if SERVING_FILE not in written:
            raise BundleRejected("artifact_corrupt", f"there is {WEIGHTS_FILE} and no {SERVING_FILE}")
        check_serving_graph((folder / SERVING_FILE).read_bytes(), sizes.get(WEIGHTS_FILE))
    _check_files(folder, sizes, listed | written)
    return _Tried(facts, finding, listed | written)


def _form(facts: GraphFacts) -> Form:
    """The form that loads fastest, decided by size alone (docs/adr/0009)."""
    if facts.tensor_bytes >= MIN_WEIGHTS:
        return "split"
    return "whole" if facts.nodes >= MIN_NODES else "none"


def _complete(folder: Path, manifest: Manifest) -> AdmittedBundle:
    """Write the manifest, the last word on the bundle."""
    content = manifest.to_json().encode()
    (folder / MANIFEST_FILE).write_bytes(content)
    size = len(content) + sum(file.bytes for file in manifest.files.values())
    return AdmittedBundle(manifest, hashlib.sha256(content).hexdigest(), size)


def _listed(path: Path) -> BundleFile:
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return BundleFile(sha256, path.stat().st_size)


def _file_sizes(folder: Path, most: int) -> dict[str, int]:
    sizes = {}
    for path in folder.iterdir():
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or not _FILE_NAME.match(path.name):
            raise BundleRejected("artifact_corrupt", f"{path.name[:80]!r} is not a plain file with a plain name")
        sizes[path.name] = status.st_size
    if sum(sizes.values()) > most:
        raise BundleRejected("bundle_too_large", f"the bundle has more than {most >> 20} MB; make the model smaller")
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
        if _listed(folder / name) != file:
            raise BundleRejected("artifact_corrupt", f"{name} is not what the manifest lists")
