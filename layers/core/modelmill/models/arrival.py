"""The file of a model version has arrived: check it once, keep what serving loads, say what is wrong with the rest."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from modelmill import lease
from modelmill.datasets.arrival import Uploads
from modelmill.models.admission import AdmittedBundle
from modelmill.models.manifest import MODEL_FILE
from modelmill.models.promotion import live_move
from modelmill.models.registry import ModelVersion, Registry, summarize
from modelmill.models.rejection import BundleRejected
from modelmill.models.uploads import ModelUploads, upload_key

MAX_ATTEMPTS = 5
ACCEPT_ATTEMPTS = 3

_KEY = re.compile(r"models/([^/]+)/([^/]+)/([1-9][0-9]{0,7})\Z")


class BundleStore(Protocol):
    """Where registered bundles are kept."""

    def keep(self, tenant: str, model: str, version: int, folder: Path) -> None:
        """Write every file of the folder under the version."""


@dataclass(frozen=True, slots=True)
class Reception:
    """What taking in an uploaded model needs.

    `admit(folder, labels)` checks the `model.onnx` in a folder and adds its manifest, or raises `BundleRejected`.
    """

    versions: ModelUploads
    registry: Registry
    uploads: Uploads
    bundles: BundleStore
    admit: Callable[[Path, list[str] | None], AdmittedBundle]


def parse_upload_key(key: str) -> tuple[str, str, int]:
    """Tenant, model and version of an uploaded object.

    Raises:
        ValueError: an object of another kind.
    """
    found = _KEY.match(key)
    if found is None:
        raise ValueError(f"{key[:200]!r} is not the key of an uploaded model, such as 'models/tenant/model/1'")
    return found[1], found[2], int(found[3])


def take_in(reception: Reception, key: str) -> None:
    """Bring the version behind an uploaded object to `ready` or `rejected`; repeating it changes nothing.

    Raises:
        ValueError: the key is not that of an uploaded model.
    """
    owner = parse_upload_key(key)
    if reception.uploads.size(key) is None:
        return
    version = reception.versions.begin_validation(*owner, time.time())
    if version is None:
        _clear_up(reception, owner)
        return
    if version.attempts > MAX_ATTEMPTS:
        message = "validation was begun several times and never ended; the model may need too much memory or time"
        ended = _reject(reception, version, "validation_failed", message)
    else:
        ended = _validate(reception, version, key)
    if ended:
        reception.uploads.delete(key)


def _clear_up(reception: Reception, owner: tuple[str, str, int]) -> None:
    """Remove a file that nobody waits for."""
    version = reception.registry.version(*owner)
    if version and version.status == "validating":
        return
    if version and version.status == "awaiting_upload":
        # Only that its model is being deleted can have kept it from being validated.
        reception.versions.expire(version, time.time())
    reception.uploads.delete(upload_key(*owner))


def _validate(reception: Reception, version: ModelVersion, key: str) -> bool:
    """Whether this attempt brought the version to its end."""
    try:
        with (
            lease.kept(lambda: _renew(reception, version)),
            TemporaryDirectory(prefix="modelmill-") as name,
        ):
            folder = Path(name)
            reception.uploads.download(key, folder / MODEL_FILE)
            bundle = reception.admit(folder, version.labels)
            # Two attempts leave different manifests, so one that was overtaken must not write over what was accepted.
            if not reception.versions.renew(version, time.time()):
                return False
            reception.bundles.keep(version.tenant, version.model, version.version, folder)
    except BundleRejected as rejected:
        return _reject(reception, version, rejected.code, rejected.message)
    return _accept(reception, version, _ready(version, bundle))


def _reject(reception: Reception, version: ModelVersion, code: str, message: str) -> bool:
    return reception.versions.reject(version, {"code": code, "message": message}, time.time())


def _renew(reception: Reception, version: ModelVersion) -> None:
    reception.versions.renew(version, time.time())


def _ready(version: ModelVersion, bundle: AdmittedBundle) -> ModelVersion:
    return replace(
        version,
        status="ready",
        task=bundle.manifest.task,
        algorithm=bundle.manifest.algorithm,
        manifest_sha256=bundle.manifest_sha256,
        bytes=bundle.bytes,
        metrics=summarize(bundle.manifest.metrics.get("test", {})),
        labels=None,
    )


def _accept(reception: Reception, version: ModelVersion, ready: ModelVersion) -> bool:
    """The alias may move between reading it and the transaction, so look again a few times."""
    for _ in range(ACCEPT_ATTEMPTS):
        move = live_move(reception.registry, ready, version.promote, version.created_by or "", "its upload")
        if reception.versions.accept(version, ready, move, time.time()):
            return True
    return False
