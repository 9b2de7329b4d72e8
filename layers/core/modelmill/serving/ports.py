"""What serving needs from the outside."""

from pathlib import Path
from typing import Protocol

from modelmill.models.registry import Alias, Model, ModelVersion
from modelmill.pages import Page


class Versions(Protocol):
    """The registry, as far as serving reads it; its calls raise `errors.Unavailable` while it is down."""

    def alias(self, tenant: str, model: str, alias: str) -> Alias | None:
        """The alias as it is now."""

    def version(self, tenant: str, model: str, version: int) -> ModelVersion | None:
        """The version."""

    def models(self, tenant: str, limit: int, cursor: str | None) -> Page[Model]:
        """By name, last first."""

    def versions(self, tenant: str, model: str, limit: int, cursor: str | None) -> Page[ModelVersion]:
        """Newest first."""


class Bundles(Protocol):
    """The store of model bundles."""

    def fetch(self, version: ModelVersion, name: str, path: Path, max_bytes: int) -> None:
        """Put a file of the bundle at `path`; of one that is larger than `max_bytes`, only a part.

        Raises:
            FileNotFoundError: there is no such file.
            Unavailable: the store is down.
        """
