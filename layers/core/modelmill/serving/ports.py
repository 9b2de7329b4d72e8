"""What serving needs from the outside."""

from collections.abc import Iterator
from typing import Protocol

from modelmill.models.registry import Alias, ModelVersion


class Versions(Protocol):
    """The registry, as far as serving reads it; both calls raise `errors.Unavailable` while it is down."""

    def alias(self, tenant: str, model: str, alias: str) -> Alias | None:
        """The alias as it is now."""

    def version(self, tenant: str, model: str, version: int) -> ModelVersion | None:
        """The version."""


class Bundles(Protocol):
    """The store of model bundles."""

    def read(self, version: ModelVersion, name: str) -> Iterator[bytes]:
        """The bytes of a file of the bundle, in pieces.

        Raises:
            FileNotFoundError: there is no such file.
            Unavailable: the store is down.
        """
