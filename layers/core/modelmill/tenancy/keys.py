"""API keys: random, shown once, kept as a hash, scoped, revocable."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from modelmill.errors import Conflict, FieldError, Forbidden, InvalidRequest, NotFound, Unauthenticated
from modelmill.ids import new_id
from modelmill.pages import Page
from modelmill.timestamps import iso

Scope = Literal["read", "predict", "train", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "predict", "train", "admin")


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. `admin` includes every other scope."""

    key_id: str
    tenant: str
    name: str
    scopes: tuple[str, ...]
    sha256: str
    created_at: str

    def demand(self, scope: Scope) -> None:
        """Pass when the key has the scope.

        Raises:
            Forbidden: it has not.
        """
        if scope not in self.scopes and "admin" not in self.scopes:
            raise Forbidden(f"this key has the scopes {', '.join(self.scopes)}; this call needs '{scope}'")


class Keys(Protocol):
    """Where keys are kept."""

    def find(self, sha256: str) -> Key | None:
        """The key whose secret has this hash, unless revoked."""

    def add(self, key: Key) -> bool:
        """Keep a new key; False when one with this secret is or was there."""

    def page(self, tenant: str, limit: int, cursor: str | None) -> Page[Key]:
        """The tenant's keys, newest first."""

    def remove(self, tenant: str, key_id: str) -> bool:
        """Revoke for good; False when there is no such key."""


def hash_secret(secret: str) -> str:
    """The form in which a secret is kept; 256 random bits need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def authenticate(find: Callable[[str], Key | None], secret: str | None) -> Key:
    """The key that this secret belongs to; `find` is `Keys.find`, or something that remembers its answers.

    Raises:
        Unauthenticated: no secret, an unknown one or a revoked one.
    """
    if not secret:
        raise Unauthenticated("no API key: send it as 'x-api-key: mm_…' or 'Authorization: Bearer mm_…'")
    key = find(hash_secret(secret)) if secret.isascii() else None
    if key is None:
        raise Unauthenticated("this API key is unknown or revoked")
    return key


def create_key(keys: Keys, tenant: str, name: str, scopes: tuple[str, ...]) -> tuple[Key, str]:
    """A new key and its secret, which is not kept anywhere.

    Raises:
        InvalidRequest: no scope, or an unknown one.
    """
    scopes = tuple(scope for scope in SCOPES if scope in _checked(scopes))
    secret = "mm_" + secrets.token_urlsafe(32)
    key = _new_key(tenant, name, scopes, secret)
    keys.add(key)
    return key, secret


def ensure_key(keys: Keys, tenant: str, secret: str) -> Key:
    """An admin key with a given secret; the existing one where there is one.

    Raises:
        Conflict: the secret was revoked, or belongs to another tenant.
    """
    key = keys.find(hash_secret(secret))
    if key is None:
        key = _new_key(tenant, "first key", ("admin",), secret)
        if not keys.add(key):
            raise Conflict("this API key has been revoked; use another")
    if key.tenant != tenant:
        raise Conflict("this API key belongs to another tenant")
    return key


def revoke_key(keys: Keys, tenant: str, key_id: str) -> None:
    """Make a key unusable; it is refused everywhere within 5 seconds.

    Raises:
        NotFound: the tenant has no such key.
    """
    if not keys.remove(tenant, key_id):
        raise NotFound(f"no key {key_id!r}")


def _new_key(tenant: str, name: str, scopes: tuple[str, ...], secret: str) -> Key:
    return Key(new_id("key"), tenant, name, scopes, hash_secret(secret), iso(time.time()))


def _checked(scopes: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        message = f"expected one or more of {', '.join(SCOPES)}, got {', '.join(unknown) or 'none'}"
        raise InvalidRequest(message, errors=(FieldError("scopes", message),))
    return scopes
