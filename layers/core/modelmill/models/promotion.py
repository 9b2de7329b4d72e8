"""Moving aliases: promotion and rollback."""

import time
from dataclasses import dataclass

from modelmill.errors import Conflict, NotFound
from modelmill.ids import check_name, new_id
from modelmill.models.registry import (
    LIVE,
    Alias,
    AliasMove,
    LedgerEntry,
    ModelVersion,
    MoveKind,
    Registry,
    find_model,
    find_version,
)
from modelmill.timestamps import iso


def plan_move(seen: Alias | None, alias: str, version: int, kind: MoveKind, by: str, reason: str) -> AliasMove:
    """The move of an alias from what was seen to a version."""
    at = iso(time.time())
    after = Alias(alias, version, (seen.revision if seen else 0) + 1, at)
    entry = LedgerEntry(new_id("move"), alias, kind, seen.version if seen else None, version, by, reason, at)
    return AliasMove(seen, after, entry)


def live_move(registry: Registry, version: ModelVersion, promote: bool, by: str, origin: str) -> AliasMove | None:
    """The first good version of a model goes live; later ones only where `promote` asks for it."""
    live = registry.alias(version.tenant, version.model, LIVE)
    if live is None:
        return plan_move(None, LIVE, version.version, "first", by, f"first version, from {origin}")
    if promote:
        return plan_move(live, LIVE, version.version, "promote", by, f"asked for by {origin}")
    return None


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a client asks for; `expected_revision` guards against moves that it has not seen."""

    alias: str
    version: int
    reason: str
    by: str
    expected_revision: int | None = None


def promote(registry: Registry, tenant: str, model: str, wanted: Promotion) -> tuple[Alias, int | None]:
    """Point an alias at a version; the alias and the version that it pointed at before.

    Where it points there already nothing changes, so the call can be repeated.

    Raises:
        InvalidName, NotFound.
        Conflict: the version is not ready, or the alias is at another revision than expected.
    """
    check_name(wanted.alias, "alias")
    version = find_version(registry, tenant, model, wanted.version)
    if version.status != "ready":
        raise Conflict(f"version {wanted.version} is {version.status}; only a ready version can be served")
    seen = registry.alias(tenant, model, wanted.alias)
    revision = seen.revision if seen else 0
    if wanted.expected_revision not in (None, revision):
        raise Conflict(f"alias {wanted.alias!r} is at revision {revision}, not {wanted.expected_revision}")
    if seen and seen.version == wanted.version:
        return seen, seen.version
    move = plan_move(seen, wanted.alias, wanted.version, "promote", wanted.by, wanted.reason)
    return _make(registry, tenant, model, move)


def rollback(registry: Registry, tenant: str, model: str, alias: str, by: str, reason: str) -> tuple[Alias, int | None]:
    """Point an alias back at the version that was served before; done again, it goes back further.

    Raises:
        NotFound: no such model or alias.
        Conflict: nothing was served before, or the alias was moved meanwhile.
    """
    find_model(registry, tenant, model)
    seen = registry.alias(tenant, model, alias)
    if seen is None:
        raise NotFound(f"model {model!r} has no alias {alias[:80]!r}")
    earlier = _served_before(registry, tenant, model, seen)
    if earlier is None:
        raise Conflict(f"no earlier version of {model!r} that could be served is in the ledger of {alias!r}")
    return _make(registry, tenant, model, plan_move(seen, alias, earlier, "rollback", by, reason))


def _make(registry: Registry, tenant: str, model: str, move: AliasMove) -> tuple[Alias, int | None]:
    if not registry.move(tenant, model, move):
        raise Conflict(f"alias {move.after.alias!r} was moved by somebody else just now; look and try again")
    return move.after, move.seen.version if move.seen else None


def _served_before(registry: Registry, tenant: str, model: str, alias: Alias) -> int | None:
    """The ledger read like a stack: what a version replaced when it was promoted is what lies below it."""
    current = alias.version
    for entry in registry.history(tenant, model, alias.alias):
        if entry.kind == "rollback" or entry.to_version != current:
            continue
        if entry.from_version is None:
            return None
        current = entry.from_version
        version = registry.version(tenant, model, current)
        if version and version.status == "ready" and current != alias.version:
            return current
    return None
