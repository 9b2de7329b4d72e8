"""Files of a bundle out of the store, each checked against its hash before anything reads it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from modelmill.models.manifest import MANIFEST_FILE, BundleFile, Manifest
from modelmill.models.registry import ModelVersion
from modelmill.serving.ports import Bundles

MAX_MANIFEST_BYTES = 16 * 1024 * 1024


class BundleBroken(Exception):
    """A file of a registered bundle is missing or is not what was registered."""


def fetch_manifest(bundles: Bundles, version: ModelVersion) -> Manifest:
    """The manifest, once its bytes match the registered hash.

    Raises:
        BundleBroken: it is missing, altered or unreadable.
    """
    content = b"".join(_limited(bundles, version, MANIFEST_FILE, MAX_MANIFEST_BYTES))
    if hashlib.sha256(content).hexdigest() != version.manifest_sha256:
        raise BundleBroken(f"{MANIFEST_FILE} is not the one that was registered")
    try:
        return Manifest.from_json(content)
    except ValueError as error:
        raise BundleBroken(str(error)) from error


def fetch_file(bundles: Bundles, version: ModelVersion, name: str, expected: BundleFile, folder: Path) -> Path:
    """The file in `folder`, under its name only once its bytes match the manifest.

    Raises:
        BundleBroken: it is missing or altered.
    """
    partial = folder / f"{name}.part"
    digest = hashlib.sha256()
    with partial.open("wb") as file:
        for piece in _limited(bundles, version, name, expected.bytes):
            digest.update(piece)
            file.write(piece)
    if digest.hexdigest() != expected.sha256:
        raise BundleBroken(f"{name} is not what the manifest lists")
    return partial.rename(folder / name)


def _limited(bundles: Bundles, version: ModelVersion, name: str, limit: int) -> Iterator[bytes]:
    size = 0
    try:
        for piece in bundles.read(version, name):
            size += len(piece)
            if size > limit:
                raise BundleBroken(f"{name} is larger than {limit} bytes")
            yield piece
    except FileNotFoundError as error:
        raise BundleBroken(f"{name} is missing") from error
