"""Model versions, the aliases that point at them and the ledger of how these moved."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from modelmill.errors import Conflict, NotFound
from modelmill.models.manifest import Manifest
from modelmill.pages import Page

LIVE = "live"

VersionStatus = Literal["awaiting_upload", "validating", "ready", "rejected", "expired", "quarantined"]
MoveKind = Literal["first", "promote", "rollback"]


@dataclass(frozen=True, slots=True)
class Model:
    """A name in a tenant; version numbers are never used twice, also after deletion."""

    tenant: str
    model: str
    latest_version: int
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """An immutable bundle. `manifest_sha256` is the root of trust: the manifest holds the hashes of the other files.

    metrics: the held-out metrics that are single numbers.

    The last five are of an uploaded model while it is on its way (see `models.uploads`):

    created_by: the id of the key that asked for it.
    labels, promote: what was asked for; once it is ready its manifest has the labels.
    upload_until: when the form ends, in seconds since 1970.
    attempts: how often validation was begun.
    """

    tenant: str
    model: str
    version: int
    status: VersionStatus
    created_at: str
    job_id: str | None = None
    task: str | None = None
    algorithm: str | None = None
    manifest_sha256: str | None = None
    bytes: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    failure: dict[str, str] | None = None
    created_by: str | None = None
    labels: list[str] | None = None
    promote: bool = False
    upload_until: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Alias:
    """A movable name for a version; `revision` counts its moves."""

    alias: str
    version: int
    revision: int
    updated_at: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One move of an alias; `by` is the id of the key that asked for it."""

    entry_id: str
    alias: str
    kind: MoveKind
    from_version: int | None
    to_version: int
    by: str
    reason: str
    at: str


class AliasMove(NamedTuple):
    """A move to be made: `seen` is the alias as it was read (None: it did not exist)."""

    seen: Alias | None
    after: Alias
    entry: LedgerEntry


class Registry(Protocol):
    """Where models, versions, aliases and the ledger are kept."""

    def model(self, tenant: str, model: str) -> Model | None:
        """The model, unless deleted."""

    def models(self, tenant: str, limit: int, cursor: str | None) -> Page[Model]:
        """By name, last first."""

    def version(self, tenant: str, model: str, version: int) -> ModelVersion | None:
        """One version."""

    def versions(self, tenant: str, model: str, limit: int, cursor: str | None) -> Page[ModelVersion]:
        """Newest first."""

    def alias(self, tenant: str, model: str, alias: str) -> Alias | None:
        """One alias."""

    def aliases(self, tenant: str, model: str) -> list[Alias]:
        """All aliases of a model."""

    def move(self, tenant: str, model: str, move: AliasMove) -> bool:
        """Move the alias and write the ledger at once; False when it moved since, or the version is not ready."""

    def ledger(self, tenant: str, model: str, limit: int, cursor: str | None) -> Page[LedgerEntry]:
        """Newest first."""

    def history(self, tenant: str, model: str, alias: str) -> Iterator[LedgerEntry]:
        """Every move of one alias, newest first."""

    def delete_version(self, tenant: str, model: str, version: int) -> bool:
        """Forget the version, and with it an upload that has not come; False while it is being validated."""

    def delete_model(self, tenant: str, model: str) -> bool:
        """Forget the aliases, the versions and then the model; False while a version is being validated.

        The ledger and the numbering stay.
        """


class BundleFiles(Protocol):
    """Where bundles lie."""

    def manifest(self, tenant: str, model: str, version: int) -> Manifest:
        """The manifest of a bundle."""

    def read(self, tenant: str, model: str, version: int, name: str) -> bytes:
        """The bytes of one file."""

    def link(self, tenant: str, model: str, version: int, name: str, seconds: int) -> str:
        """A link to one file, valid for that long."""

    def delete(self, tenant: str, model: str, version: int | None = None) -> None:
        """Remove the bytes of one version, or of all."""


def find_model(registry: Registry, tenant: str, model: str) -> Model:
    """The model.

    Raises:
        NotFound: the tenant has no such model.
    """
    found = registry.model(tenant, model)
    if found is None:
        raise NotFound(f"no model {model[:80]!r}")
    return found


def find_version(registry: Registry, tenant: str, model: str, version: int) -> ModelVersion:
    """The version.

    Raises:
        NotFound: the model, or this version of it, does not exist.
    """
    find_model(registry, tenant, model)
    found = registry.version(tenant, model, version)
    if found is None:
        raise NotFound(f"model {model!r} has no version {version}")
    return found


def delete_version(registry: Registry, files: BundleFiles, tenant: str, model: str, version: int) -> None:
    """Remove a version and its bytes; an upload that has not come is cancelled.

    Raises:
        NotFound: no such version.
        Conflict: an alias points at it, or it is being validated.
    """
    find_version(registry, tenant, model, version)
    under = [alias.alias for alias in registry.aliases(tenant, model) if alias.version == version]
    if under:
        raise Conflict(f"version {version} is served as {', '.join(under)}; point the alias elsewhere first")
    if not registry.delete_version(tenant, model, version):
        raise Conflict(f"version {version} is being validated; try again when that ends")
    files.delete(tenant, model, version)


def delete_model(registry: Registry, files: BundleFiles, tenant: str, model: str) -> None:
    """Remove a model with all its versions and aliases; uploads that have not come are cancelled.

    Raises:
        NotFound: no such model.
        Conflict: one of its versions is being validated.
    """
    find_model(registry, tenant, model)
    if not registry.delete_model(tenant, model):
        raise Conflict(f"a version of {model!r} is being validated; try again when that ends")
    files.delete(tenant, model)


def summarize(metrics: dict[str, Any]) -> dict[str, float]:
    """Those metrics that are single numbers."""
    return {name: value for name, value in metrics.items() if isinstance(value, int | float)}
