"""Which loaded model answers a request."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from modelmill.errors import Conflict, NotFound, Unavailable
from modelmill.models.registry import ModelVersion
from modelmill.serving.bundle import BundleBroken
from modelmill.serving.load import LoadedModel, load
from modelmill.serving.ports import Bundles, Versions
from modelmill.serving.remembered import CAPACITY, Remembered
from modelmill.serving.sessions import SessionKey, Sessions

BROKEN_SECONDS = 15
STORE_DOWN_SECONDS = 2


class Wanted(NamedTuple):
    """What a request asks for: an explicit version, or else the one that an alias names."""

    tenant: str
    model: str
    version: int | None
    alias: str
    request_id: str


class Served(NamedTuple):
    """The version that answers; `loaded`: this request had to load it."""

    version: int
    key: SessionKey
    model: LoadedModel
    loaded: bool


class ModelServer:
    """Serves one request at a time, as a Lambda environment does; not for use by several threads."""

    def __init__(
        self, versions: Versions, bundles: Bundles, sessions: Sessions, clock: Callable[[], float] = time.time
    ) -> None:
        self.versions = versions
        self._alias = Remembered(versions.alias)
        self._version = Remembered(versions.version)
        self._bundles = bundles
        self._sessions = sessions
        self._clock = clock
        self._refused: dict[SessionKey, tuple[float, Unavailable]] = {}
        self._last_good: dict[tuple[str, str, str], tuple[int, SessionKey]] = {}

    def find(self, wanted: Wanted) -> Served:
        """The version that answers.

        An alias whose new version cannot be loaded is answered by the version that this process served before.

        Raises:
            NotFound: no such model, version or alias.
            Conflict: the version is not ready.
            Unavailable: it cannot be loaded now.
        """
        now = self._clock()
        number = self.resolve(wanted, now)
        if wanted.version is not None:
            return self._ready(wanted, number, now, keep=None)
        place = (wanted.tenant, wanted.model, wanted.alias)
        before = self._last_good.get(place)
        try:
            served = self._ready(wanted, number, now, keep=before[1] if before else None)
        except (NotFound, Conflict, Unavailable):
            fallback = self._fallback(wanted, now, *before) if before and before[0] != number else None
            if fallback is None:
                raise
            return fallback
        if before is None or before[1] != served.key:
            _keep(self._last_good, place, (number, served.key))
        return served

    def resolve(self, wanted: Wanted, now: float) -> int:
        """The number of the version that this request is for.

        Raises:
            NotFound: the alias names none.
        """
        if wanted.version is not None:
            return wanted.version
        alias = self._alias.get((wanted.tenant, wanted.model, wanted.alias), now)
        if alias is None:
            raise NotFound(f"no model {wanted.model!r} with an alias {wanted.alias!r}")
        return alias.version

    def _ready(self, wanted: Wanted, number: int, now: float, keep: SessionKey | None) -> Served:
        version = self._version.get((wanted.tenant, wanted.model, number), now)
        if version is None:
            raise NotFound(f"no version {number} of a model {wanted.model!r}")
        if version.status != "ready" or version.manifest_sha256 is None:
            message = f"version {number} of {wanted.model!r} is {version.status}; only a ready version can be served"
            raise Conflict(message, code="version_not_ready")
        key = (wanted.tenant, version.manifest_sha256)
        model = self._sessions.get(key)
        if model is not None:
            return Served(number, key, model, loaded=False)
        return Served(number, key, self._load(key, version, keep), loaded=True)

    def _load(self, key: SessionKey, version: ModelVersion, keep: SessionKey | None) -> LoadedModel:
        self._check_refused(key)
        try:
            model = load(self._bundles, version, partial(self._sessions.make_room, keep=keep))
        except BundleBroken as error:
            message = f"version {version.version} cannot be loaded: its stored bundle is missing or damaged"
            refusal = Unavailable(message, code="version_unloadable", retry_after=BROKEN_SECONDS)
            self._refuse(key, refusal, BROKEN_SECONDS)
            raise refusal from error
        except Unavailable as error:
            self._refuse(key, error, STORE_DOWN_SECONDS)
            raise
        self._sessions.add(key, model)
        return model

    def _refuse(self, key: SessionKey, refusal: Unavailable, seconds: float) -> None:
        """For a while the answer is the same without fetching again."""
        _keep(self._refused, key, (self._clock() + seconds, refusal))

    def _check_refused(self, key: SessionKey) -> None:
        until, refusal = self._refused.pop(key, (0.0, None))
        if refusal is not None and self._clock() < until:
            self._refused[key] = (until, refusal)
            raise Unavailable(refusal.detail, code=refusal.code, retry_after=refusal.retry_after)

    def _fallback(self, wanted: Wanted, now: float, number: int, key: SessionKey) -> Served | None:
        """The version served before, while it is loaded, registered and ready."""
        version = self._version.get((wanted.tenant, wanted.model, number), now)
        model = self._sessions.get(key)
        if model is None or version is None or version.status != "ready":
            return None
        return Served(number, key, model, loaded=False)


def _keep[Key, Value](entries: dict[Key, Value], key: Key, value: Value) -> None:
    if len(entries) >= CAPACITY and key not in entries:
        entries.clear()
    entries[key] = value
