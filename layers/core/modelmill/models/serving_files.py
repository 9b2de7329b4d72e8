"""What a probe leaves in a folder beside the model: the form that serving loads. Its process ran a stranger's model."""

import hashlib
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelmill.models.graph_checks import check_serving_graph
from modelmill.models.graph_facts import GraphFacts
from modelmill.models.manifest import MANIFEST_FILE, MODEL_FILE, SERVING_FILE, WEIGHTS_FILE, BundleFile, Manifest
from modelmill.models.probe_process import Finding, Form
from modelmill.models.rejection import BundleRejected

# Smaller weights are read as fast as they are mapped.
SPLIT_FROM_BYTES = 1024 * 1024

type Probe = Callable[[Path, Form], Finding]


@dataclass(frozen=True, slots=True)
class AdmittedBundle:
    """A bundle that can be served; `bytes` counts all of its files."""

    manifest: Manifest
    manifest_sha256: str
    bytes: int


def form_for(facts: GraphFacts) -> Form:
    """The form that loads fastest."""
    return "split" if facts.tensor_bytes >= SPLIT_FROM_BYTES else "whole"


def serving_files(folder: Path, model: bytes) -> dict[str, BundleFile]:
    """The files that serving loads, by content; none where the probe left none.

    model: what MODEL_FILE held before the probe.

    Raises:
        BundleRejected: the model itself was changed, or the files are not just a graph and its weights.
    """
    if (folder / MODEL_FILE).read_bytes() != model:
        raise BundleRejected("probe_failed", f"{MODEL_FILE} was changed while it was tried")
    paths = [path for name in (SERVING_FILE, WEIGHTS_FILE) if (path := folder / name).is_symlink() or path.exists()]
    if any(not stat.S_ISREG(path.lstat().st_mode) for path in paths):
        raise BundleRejected("probe_failed", "what was left for serving are no plain files")
    if not paths:
        return {}
    if paths[0].name != SERVING_FILE:
        raise BundleRejected("probe_failed", "there are weights for serving without a graph")
    weights = paths[1].stat().st_size if len(paths) > 1 else None
    check_serving_graph(paths[0].read_bytes(), weights)
    return {path.name: _by_content(path) for path in paths}


def seal(folder: Path, manifest: Manifest) -> AdmittedBundle:
    """Write the manifest, which from here on is what everything else is checked against."""
    content = manifest.to_json().encode()
    (folder / MANIFEST_FILE).write_bytes(content)
    size = len(content) + sum(file.bytes for file in manifest.files.values())
    return AdmittedBundle(manifest, hashlib.sha256(content).hexdigest(), size)


def _by_content(path: Path) -> BundleFile:
    with path.open("rb") as content:
        return BundleFile(hashlib.file_digest(content, "sha256").hexdigest(), path.stat().st_size)
