"""In-memory stand-ins for what the data plane needs: keys, the registry, the bundle store."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from modelmill.errors import Unavailable
from modelmill.models.registry import Alias, Model, ModelVersion
from modelmill.pages import Page
from modelmill.tenancy.access import TenantUsage
from modelmill.tenancy.keys import Key, hash_secret
from tests.bundles import manifest_sha256

STARTED = "2026-11-23T01:02:03Z"


class Clock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class FakeKeys:
    """Implements `tenancy.access.KeyUse`; `down` makes calls fail."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.used: dict[tuple[str, str], int] = {}
        self.changes: dict[str, int] = {}
        self.calls: list[str] = []
        self.down = False

    def give(self, secret: str, tenant: str, *scopes: str) -> Key:
        """A key with a known secret."""
        key = Key(f"key-{len(self.keys)}", tenant, "test", scopes, hash_secret(secret), STARTED)
        self.keys[key.sha256] = key
        return key

    def find(self, sha256: str) -> Key | None:
        self._check("find")
        return self.keys.get(sha256)

    def use(self, tenant: str, month: str, predictions: int) -> TenantUsage:
        self._check("use")
        used = self.used[tenant, month] = self.used.get((tenant, month), 0) + predictions
        return TenantUsage(used, self.changes.get(tenant, 0))

    def revoke(self, secret: str) -> None:
        """Forget the key."""
        tenant = self.keys.pop(hash_secret(secret)).tenant
        self.changes[tenant] = self.changes.get(tenant, 0) + 1

    def _check(self, call: str) -> None:
        self.calls.append(call)
        if self.down:
            raise Unavailable("the table is down", retry_after=2)


@dataclass
class FakeStore:
    """Implements `serving.ports.Versions` and `serving.ports.Bundles`; `down` makes calls fail."""

    registered: dict[tuple[str, str, int], ModelVersion] = field(default_factory=dict)
    aliases: dict[tuple[str, str, str], Alias] = field(default_factory=dict)
    files: dict[tuple[str, str, int, str], bytes] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    down: bool = False

    def put(self, tenant: str, model: str, number: int, folder: Path, alias: str | None = "live") -> None:
        """Register the bundle in `folder` and point the alias at it."""
        pin = manifest_sha256(folder)
        version = ModelVersion(tenant, model, number, "ready", STARTED, manifest_sha256=pin)
        self.registered[tenant, model, number] = version
        for path in folder.iterdir():
            self.files[tenant, model, number, path.name] = path.read_bytes()
        if alias:
            self.point(tenant, model, number, alias)

    def point(self, tenant: str, model: str, number: int, alias: str = "live") -> None:
        """Move an alias."""
        self.aliases[tenant, model, alias] = Alias(alias, number, 1, STARTED)

    def mark(self, tenant: str, model: str, number: int, status: str) -> None:
        """Change the status of a version."""
        version = self.registered[tenant, model, number]
        self.registered[tenant, model, number] = replace(version, status=status)  # type: ignore[arg-type]

    def alias(self, tenant: str, model: str, alias: str) -> Alias | None:
        self._check()
        return self.aliases.get((tenant, model, alias))

    def version(self, tenant: str, model: str, version: int) -> ModelVersion | None:
        self._check()
        return self.registered.get((tenant, model, version))

    def models(self, tenant: str, limit: int, cursor: str | None) -> Page[Model]:
        self._check()
        numbers = {name: number for owner, name, number in sorted(self.registered) if owner == tenant}
        known = [Model(tenant, name, number, STARTED, STARTED) for name, number in numbers.items()]
        return _page(known[::-1], limit, cursor)

    def versions(self, tenant: str, model: str, limit: int, cursor: str | None) -> Page[ModelVersion]:
        self._check()
        known = [self.registered[place] for place in sorted(self.registered) if place[:2] == (tenant, model)]
        return _page(known[::-1], limit, cursor)

    def fetch(self, version: ModelVersion, name: str, path: Path, max_bytes: int) -> None:
        self._check()
        self.reads.append(f"{version.tenant}/{version.model}/{version.version}/{name}")
        content = self.files.get((version.tenant, version.model, version.version, name))
        if content is None:
            raise FileNotFoundError(name)
        path.write_bytes(content[: max_bytes + 1])

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the store is down", retry_after=2)


def _page[Item](items: list[Item], limit: int, cursor: str | None) -> Page[Item]:
    first = int(cursor or 0)
    after = first + limit
    return Page(items[first:after], str(after) if after < len(items) else None)
