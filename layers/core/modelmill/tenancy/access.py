"""Who may call the data plane: keys and usage remembered for a few seconds, so that a warm request asks nobody.

Every few seconds one write per tenant does three things: it adds what was predicted since the last one, tells what the
tenant's environments have predicted this month together, and tells how often the tenant's keys have changed. Only when
that number has moved are keys read again.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from modelmill.errors import QuotaExceeded, Unauthenticated
from modelmill.tenancy.keys import Key, hash_secret

# Revocations must be seen within 5 seconds.
REMEMBERED_SECONDS = 4.0
CAPACITY = 4096
LONGEST_RETRY_AFTER = 3600


class TenantUsage(NamedTuple):
    """What all environments know together: predictions of the month, and changes of the tenant's keys since ever."""

    predictions: int
    key_changes: int


class KeyUse(Protocol):
    """Where keys and their use are kept; both calls raise `errors.Unavailable` while it is down."""

    def find(self, sha256: str) -> Key | None:
        """The key whose secret has this hash, unless revoked."""

    def use(self, tenant: str, month: str, predictions: int) -> TenantUsage:
        """Add predictions to the tenant's month (`2026-11`), and tell what it has come to."""


class _Tenant:
    """`pending` predictions are not written yet."""

    __slots__ = ("key_changes", "pending", "predictions", "seen_at")

    def __init__(self, seen_at: float) -> None:
        self.seen_at = seen_at
        self.key_changes: int | None = None
        self.predictions = 0
        self.pending = 0


class _Known(NamedTuple):
    """What was read of a key when its tenant's keys had changed `key_changes` times; no key: unknown or revoked."""

    key: Key | None
    seen_at: float
    key_changes: int | None


class Access:
    """Serves one request at a time.

    The clock is the wall clock: a frozen Lambda environment's monotonic clock may stand still.
    """

    def __init__(self, keys: KeyUse, monthly_quota: int, clock: Callable[[], float] = time.time) -> None:
        """`monthly_quota` of predictions for each tenant; 0 sets no limit."""
        self._keys = keys
        self._quota = monthly_quota
        self._clock = clock
        # By the secrets themselves: what reads this memory reads requests too, and hashing takes longer than the rest.
        self._known: dict[str, _Known] = {}
        self._tenants: dict[str, _Tenant] = {}

    def key(self, secret: str | None) -> Key:
        """The key that this secret belongs to.

        Raises:
            Unauthenticated: no secret, an unknown one or a revoked one.
            Unavailable: keys cannot be read now.
        """
        if not secret:
            raise Unauthenticated("no API key: send it as 'x-api-key: mm_…' or 'Authorization: Bearer mm_…'")
        now = self._clock()
        known = self._known.get(secret)
        if known is not None and known.key is not None:
            tenant = self._tenants.get(known.key.tenant)
            if tenant and tenant.key_changes == known.key_changes and 0 <= now - tenant.seen_at < REMEMBERED_SECONDS:
                return known.key
        key = self._find(secret, now) if secret.isascii() else None
        if key is None:
            raise Unauthenticated("this API key is unknown or revoked")
        return key

    def check_quota(self, tenant: str, predictions: int) -> None:
        """Pass when the tenant may have so many more predictions.

        The limit is approximate: what other environments have predicted in the last seconds is not known here.

        Raises:
            QuotaExceeded: the month's quota is used up.
        """
        state = self._tenants[tenant]
        if self._quota and state.predictions + state.pending + predictions > self._quota:
            message = f"the month's {self._quota} predictions are used up, or would be by these {predictions}"
            raise QuotaExceeded(message, retry_after=_seconds_left(self._clock()))

    def count(self, tenant: str, predictions: int) -> None:
        """Count predictions that have been answered."""
        self._tenants[tenant].pending += predictions

    def _find(self, secret: str, now: float) -> Key | None:
        known = self._known.get(secret)
        if known is None or (known.key is None and not 0 <= now - known.seen_at < REMEMBERED_SECONDS):
            known = self._read(secret, now)
        if known.key is None:
            return None
        tenant = self._fresh(known.key.tenant, now)
        if known.key_changes != tenant.key_changes:
            known = self._read(secret, now)
        return known.key

    def _read(self, secret: str, now: float) -> _Known:
        key = self._keys.find(hash_secret(secret))
        tenant = self._tenants.get(key.tenant) if key else None
        _make_room(self._known)
        known = self._known[secret] = _Known(key, now, tenant.key_changes if tenant else None)
        return known

    def _fresh(self, name: str, now: float) -> _Tenant:
        tenant = self._tenants.get(name)
        if tenant is None:
            _make_room(self._tenants)
            tenant = self._tenants[name] = _Tenant(now)
        elif not 0 <= now - tenant.seen_at < REMEMBERED_SECONDS:
            used = self._keys.use(name, month_of(now), tenant.pending)
            tenant.predictions, tenant.key_changes = used
            # Stamped with the time before the write: the answer may be that old.
            tenant.pending, tenant.seen_at = 0, now
        return tenant


def _make_room(entries: dict[str, Any]) -> None:
    if len(entries) >= CAPACITY:
        entries.clear()


def month_of(now: float) -> str:
    """The month (UTC) of a moment, for example `2026-11`."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m")


def _seconds_left(now: float) -> int:
    """Until the month ends; an hour at most, since an operator may raise the quota."""
    moment = datetime.fromtimestamp(now, UTC)
    end = (moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
    return max(1, min(LONGEST_RETRY_AFTER, int((end - moment).total_seconds())))
