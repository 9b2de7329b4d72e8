"""Where a function's credentials come from: its environment, or Lambda's own address after a start from a snapshot.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import orjson

from modelmill.aws.http_connection import Connection, Origin
from modelmill.aws.refusals import unreachable
from modelmill.aws.signature import Credentials
from modelmill.errors import Unavailable

ADDRESS = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
# Credentials are renewed this long before they expire; should that fail, they are used until then.
RENEWED_AHEAD_SECONDS = 300.0
# A failed renewal is tried again after a while, not with every request.
RENEWAL_PAUSE_SECONDS = 10.0
CONNECT_SECONDS = 1.0
READ_SECONDS = 2.0
LOCAL_HOSTS = frozenset({"localhost", "::1", "fd00:ec2::23"})


class CurrentCredentials:
    """Credentials that are valid now; `environment` is read anew, since a restored process may find another."""

    def __init__(self, environment: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._environment = environment
        self._clock = clock
        self._fetched: Credentials | None = None
        self._next_try = 0.0

    def __call__(self) -> Credentials:
        """The credentials.

        Raises:
            Unavailable: they have to be fetched, and cannot be now.
            ValueError: there are none, or an address that may not be asked for them.
        """
        access_key = self._environment.get("AWS_ACCESS_KEY_ID")
        secret_key = self._environment.get("AWS_SECRET_ACCESS_KEY")
        if access_key and secret_key:
            return Credentials(access_key, secret_key, self._environment.get("AWS_SESSION_TOKEN") or None)
        return self._renewed(self._clock())

    def forget(self) -> None:
        """Fetch them again the next time."""
        self._fetched = None

    def _renewed(self, now: float) -> Credentials:
        known = self._fetched
        if known and (now < known.expires_at - RENEWED_AHEAD_SECONDS or now < min(self._next_try, known.expires_at)):
            return known
        self._next_try = now + RENEWAL_PAUSE_SECONDS
        try:
            self._fetched = fetch(self._environment)
        except Unavailable:
            if known is None or now >= known.expires_at:
                raise
        return self._fetched or known  # type: ignore[return-value]


def fetch(environment: Mapping[str, str]) -> Credentials:
    """Ask the address in the environment.

    Raises:
        Unavailable: it does not answer with credentials.
        ValueError: no address, or none that may be asked.
    """
    origin, target = _address(environment)
    headers = {"host": origin.authority, "accept": "application/json"}
    if token := _token(environment):
        headers["authorization"] = token
    connection = Connection(origin, CONNECT_SECONDS, READ_SECONDS)
    try:
        response = connection.send("GET", target, headers)
        content = response.read()
    except OSError as error:
        raise unreachable("the source of credentials") from error
    finally:
        connection.close()
    if response.status != 200:
        raise unreachable("the source of credentials") from ValueError(f"it answered HTTP status {response.status}")
    return _parse(content)


def _parse(content: bytes) -> Credentials:
    try:
        answer = orjson.loads(content)
        expires_at = datetime.fromisoformat(answer["Expiration"]).timestamp()
        return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["Token"], expires_at)
    except (KeyError, TypeError, ValueError) as error:
        raise unreachable("the source of credentials") from error


def _address(environment: Mapping[str, str]) -> tuple[Origin, str]:
    url = environment.get(ADDRESS)
    if not url:
        raise ValueError(f"no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or {ADDRESS}")
    scheme, _, rest = url.partition("://")
    authority, _, target = rest.partition("/")
    origin = Origin.parse(f"{scheme}://{authority}")
    # Link-local addresses are those from which a machine or a container gets its own credentials.
    local = origin.host in LOCAL_HOSTS or _is_address(origin.host, "127.", "169.254.")
    if not origin.tls and not local:
        raise ValueError(f"{ADDRESS} names {origin.host!r}: only this machine may be asked without TLS")
    return origin, "/" + target


def _is_address(host: str, *prefixes: str) -> bool:
    parts = host.split(".")
    return host.startswith(prefixes) and len(parts) == 4 and all(part.isdecimal() for part in parts)


def _token(environment: Mapping[str, str]) -> str:
    file = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    token = Path(file).read_text("utf-8") if file else environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if not token.isascii() or not token.isprintable():
        raise ValueError("the token for AWS credentials is not one line of plain text")
    return token
