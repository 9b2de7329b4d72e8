"""Loaded models within a bound of memory, and of the disk on which their mapped weights lie."""

import shutil
import tempfile
from collections import Counter, OrderedDict
from collections.abc import Callable

from modelmill.errors import Unavailable
from modelmill.serving.load import LoadedModel

# Tenant and sha256 of the manifest: equal bundles of two tenants are two sessions.
type SessionKey = tuple[str, str]


def free_temporary_disk() -> int:
    """Bytes free on the disk of temporary files."""
    return shutil.disk_usage(tempfile.gettempdir()).free


class Sessions:
    """The tenant that holds the most gives way first, with its least recently used model.

    So a tenant with many models pushes out its own, not its neighbours'.
    """

    def __init__(self, max_bytes: int, free_disk: Callable[[], int] = free_temporary_disk) -> None:
        """`max_bytes` of memory; `free_disk` tells the bytes that are free where files are fetched to."""
        self._max_bytes = max_bytes
        self._free_disk = free_disk
        self._models: OrderedDict[SessionKey, LoadedModel] = OrderedDict()
        self._bytes = 0

    @property
    def memory_bytes(self) -> int:
        """What the models take, by estimate."""
        return self._bytes

    def get(self, key: SessionKey) -> LoadedModel | None:
        """The model, which then counts as used last."""
        model = self._models.get(key)
        if model is not None:
            self._models.move_to_end(key)
        return model

    def add(self, key: SessionKey, model: LoadedModel) -> None:
        """Keep a model, and let go of others until the bound holds."""
        self._discard(key)
        self._models[key] = model
        self._bytes += model.memory_bytes
        self._evict(0, key)

    def make_room(self, memory: int, disk: int, keep: SessionKey | None = None) -> None:
        """Let go of models until so many bytes more fit, but not of `keep`, which serves if the load fails.

        Raises:
            Unavailable: a model of this size does not fit.
        """
        if memory > self._max_bytes:
            message = "the model needs more memory than this function may use for models; raise its memory size"
            raise Unavailable(message, code="model_too_large")
        self._evict(memory, keep)
        while self._free_disk() < disk:
            key = self._next_to_leave(keep)
            if key is None:
                message = "the model needs more temporary disk space than there is"
                raise Unavailable(message, code="model_too_large")
            self._discard(key)

    def _evict(self, needed: int, keep: SessionKey | None) -> None:
        while self._bytes + needed > self._max_bytes and (key := self._next_to_leave(keep)):
            self._discard(key)

    def _next_to_leave(self, keep: SessionKey | None) -> SessionKey | None:
        held = Counter[str]()
        for (tenant, _), model in self._models.items():
            held[tenant] += model.memory_bytes
        # `max` takes the first of equals, and the models lie in the order of their last use.
        return max((key for key in self._models if key != keep), key=lambda key: held[key[0]], default=None)

    def _discard(self, key: SessionKey) -> None:
        model = self._models.pop(key, None)
        if model is not None:
            self._bytes -= model.memory_bytes
