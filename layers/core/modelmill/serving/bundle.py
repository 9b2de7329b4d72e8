"""Files of a bundle out of the store, each checked against its hash before anything reads it."""

import hashlib
from pathlib import Path

from modelmill.models.manifest import MANIFEST_FILE, BundleFile, Manifest
from modelmill.models.registry import ModelVersion
from modelmill.serving.ports import Bundles

MAX_MANIFEST_BYTES = 16 * 1024 * 1024


class BundleBroken(Exception):
    """A file of a registered bundle is missing or is not what was registered."""


def fetch_manifest(bundles: Bundles, version: ModelVersion, folder: Path) -> Manifest:
    """The manifest, once its bytes match the registered hash.

    Raises:
        BundleBroken: it is missing, altered or unreadable.
    """
    path = _fetch(bundles, version, MANIFEST_FILE, MAX_MANIFEST_BYTES, folder)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != version.manifest_sha256:
        raise BundleBroken(f"{MANIFEST_FILE} is not the one that was registered")
    try:
        return Manifest.from_json(content)
    except ValueError as error:
        raise BundleBroken(str(error)) from error


def fetch_file(bundles: Bundles, version: ModelVersion, name: str, expected: BundleFile, folder: Path) -> None:
    """Put the file into `folder`.

    Raises:
        BundleBroken: it is missing or altered; whatever lies in the folder then must not be used.
    """
    path = _fetch(bundles, version, name, expected.bytes, folder)
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != expected.sha256:
            raise BundleBroken(f"{name} is not what the manifest lists")


def _fetch(bundles: Bundles, version: ModelVersion, name: str, max_bytes: int, folder: Path) -> Path:
    path = folder / name
    try:
        bundles.fetch(version, name, path, max_bytes)
    except FileNotFoundError as error:
        raise BundleBroken(f"{name} is missing") from error
    if path.stat().st_size > max_bytes:
        raise BundleBroken(f"{name} is larger than {max_bytes} bytes")
    return path
