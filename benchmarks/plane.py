"""The data plane on a bundle in a folder, with one key, in memory: needs nothing beyond the layers of `infer`."""

import hashlib
import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

from modelmill.models.manifest import MANIFEST_FILE
from modelmill.models.registry import Alias, ModelVersion
from modelmill.serving.serve import ModelServer
from modelmill.serving.sessions import Sessions
from modelmill.tenancy.access import Access, TenantUsage
from modelmill.tenancy.keys import Key, hash_secret
from modelmill.web.events import read_event, write_result
from modelmill.web.inference import Inference

SECRET = "mm_bench"
TENANT, MODEL = "acme", "m"
STARTED = "2026-11-23T01:02:03Z"
MODEL_BYTES = 1_000_000_000
SECONDS = 25.0


class OneKey:
    """Implements `tenancy.access.KeyUse`."""

    def __init__(self) -> None:
        self._key = Key("key", TENANT, "bench", ("predict", "read"), hash_secret(SECRET), STARTED)

    def find(self, sha256: str) -> Key | None:
        return self._key if sha256 == self._key.sha256 else None

    def use(self, _tenant: str, _month: str, predictions: int) -> TenantUsage:
        return TenantUsage(predictions, 0)


class OneBundle:
    """Implements `serving.ports.Versions` and `serving.ports.Bundles` for version 1 of one model."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        pin = hashlib.sha256((folder / MANIFEST_FILE).read_bytes()).hexdigest()
        self._version = ModelVersion(TENANT, MODEL, 1, "ready", STARTED, manifest_sha256=pin)

    def alias(self, _tenant: str, _model: str, alias: str) -> Alias | None:
        return Alias(alias, 1, 1, STARTED)

    def version(self, _tenant: str, _model: str, _version: int) -> ModelVersion | None:
        return self._version

    def fetch(self, _version: ModelVersion, name: str, path: Path, _max_bytes: int) -> None:
        try:
            path.hardlink_to(self._folder / name)
        except OSError:
            shutil.copyfile(self._folder / name, path)


def inference(folder: Path, log: int) -> Inference:
    """The core of `infer`; `log`: the file descriptor for its lines."""
    bundle = OneBundle(folder)
    server = ModelServer(bundle, bundle, Sessions(MODEL_BYTES))
    return Inference(Access(OneKey(), 0), server, partial(os.write, log))


class Plane:
    """`infer` as its function runs it, from event to result."""

    def __init__(self, folder: Path, log: int) -> None:
        self._inference = inference(folder, log)

    def __call__(self, event: dict[str, Any], _context: object = None) -> dict[str, Any]:
        return write_result(self._inference(read_event(event), time.monotonic() + SECONDS))
