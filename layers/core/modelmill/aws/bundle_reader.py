"""Model bundles, as serving reads them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from modelmill.aws.layout import bundle_prefix
from modelmill.models.registry import ModelVersion


class Objects(Protocol):
    """The store bucket."""

    def pieces(self, key: str) -> Iterator[bytes]:
        """An object's bytes, piece by piece; `FileNotFoundError` where there is none."""


class BundleReader:
    """Implements `serving.ports.Bundles`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def fetch(self, version: ModelVersion, name: str, path: Path, max_bytes: int) -> None:
        """See `Bundles`."""
        pieces = self._objects.pieces(bundle_prefix(version.tenant, version.model, version.version) + name)
        with path.open("wb") as file:
            written = 0
            while written <= max_bytes and (piece := next(pieces, b"")):
                written += file.write(piece)
