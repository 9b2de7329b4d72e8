"""Bringing a model of one's own: a version that waits for its file.

awaiting_upload ──▶ validating ──▶ ready
       │                 └───────▶ rejected
       └──▶ expired

The row is the truth; the last three states are final, so late and repeated events change nothing.
"""

import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Protocol

from modelmill.datasets.uploading import UPLOAD_SECONDS, Upload, UploadForms, form_for
from modelmill.errors import FieldError, InvalidRequest
from modelmill.idempotency import IdempotencyKey
from modelmill.ids import check_name
from modelmill.models.registry import AliasMove, ModelVersion
from modelmill.timestamps import iso

FORMATS = ("onnx",)
MIN_LABELS, MAX_LABELS = 2, 10_000
# A row of the table holds 400 KB.
MAX_LABEL_BYTES = 300_000


@dataclass(frozen=True, slots=True)
class NewUpload:
    """What a client asks for; `labels` are the classes in the order of the last output's last axis."""

    model: str
    format: str
    labels: list[str] | None = None
    promote: bool = False


@dataclass(frozen=True, slots=True)
class Uploader:
    """Who asks, how many uploads they may have under way and how large each may be, and their idempotency key."""

    tenant: str
    key_id: str
    max_uploads: int
    max_bytes: int
    idempotency_key: str | None = None


class ModelUploads(Protocol):
    """Where versions that were uploaded are kept until they are ready."""

    def create(self, version: ModelVersion, limit: int, key: IdempotencyKey | None, now: float) -> ModelVersion:
        """Keep a new version under the model's next number, whatever its own, and count it, or give back the one that
        was made under the same key. A model that does not exist, or was deleted, is made.

        Raises:
            QuotaExceeded: the tenant has `limit` uploads of models that have not ended.
            IdempotencyMismatch: the key was used for something else.
            Conflict: the model is being deleted, or the version that the key made was.
        """

    def begin_validation(self, tenant: str, model: str, version: int, now: float) -> ModelVersion | None:
        """Take the lease and become `validating`.

        None when there is nothing to do, somebody else does it, or the model is being deleted.
        """

    def renew(self, version: ModelVersion, now: float) -> bool:
        """Keep the lease of this attempt alive; False when it was lost."""

    def accept(self, version: ModelVersion, ready: ModelVersion, move: AliasMove | None, now: float) -> bool:
        """Become `ready`, move the alias and leave the count at once.

        False when the lease of this attempt was lost or the alias has moved.
        """

    def reject(self, version: ModelVersion, failure: dict[str, str], now: float) -> bool:
        """Become `rejected` and leave the count; False when the lease of this attempt was lost."""

    def expire(self, version: ModelVersion, now: float) -> bool:
        """Become `expired` and leave the count, if still `awaiting_upload`."""

    def look_again(self, version: ModelVersion, at: float) -> None:
        """Let the sweep come back later."""


def upload_key(tenant: str, model: str, version: int) -> str:
    """Where a version's file is uploaded to."""
    return f"models/{tenant}/{model}/{version}"


def create(
    uploads: ModelUploads, forms: UploadForms, uploader: Uploader, new: NewUpload
) -> tuple[ModelVersion, Upload | None]:
    """A version that waits for its file, and the form to upload it with.

    A repeated call with the same idempotency key gives the same version, with a fresh form while it still waits.

    Raises:
        InvalidName, InvalidRequest, QuotaExceeded, IdempotencyMismatch.
        Conflict: the model is being deleted, or the version that the idempotency key made was.
    """
    check_name(new.model, "model")
    _check_format(new.format)
    if new.labels is not None:
        _check_labels(new.labels)
    now = time.time()
    asked = ModelVersion(
        tenant=uploader.tenant,
        model=new.model,
        version=0,
        status="awaiting_upload",
        created_at=iso(now),
        created_by=uploader.key_id,
        labels=new.labels,
        promote=new.promote,
        upload_until=int(now) + UPLOAD_SECONDS,
    )
    key = uploader.idempotency_key
    idempotency = IdempotencyKey.of(key, "model-versions", asdict(new)) if key else None
    version = uploads.create(asked, uploader.max_uploads, idempotency, now)
    place, seconds_left = upload_key(version.tenant, version.model, version.version), version.upload_until - int(now)
    return version, form_for(forms, place, uploader.max_bytes, version.status, seconds_left)


def _check_format(name: str) -> None:
    if name in FORMATS:
        return
    expected = " or ".join(map(repr, FORMATS))
    message = f"must be {expected}, got {name[:80]!r}; convert the model first, other formats can hold code"
    raise InvalidRequest(f"format {message}", code="unsupported_format", errors=(FieldError("format", message),))


def _check_labels(labels: list[str]) -> None:
    problem = None
    if not MIN_LABELS <= len(labels) <= MAX_LABELS:
        problem = f"must be {MIN_LABELS} to {MAX_LABELS} names of classes, got {len(labels)}"
    elif len(set(labels)) < len(labels):
        ((twice, times),) = Counter(labels).most_common(1)
        problem = f"must be distinct, got {twice[:80]!r} {times} times"
    elif (size := sum(len(label.encode()) for label in labels)) > MAX_LABEL_BYTES:
        problem = f"must be at most {MAX_LABEL_BYTES} bytes in all, got {size}"
    if problem is not None:
        raise InvalidRequest(f"labels {problem}", errors=(FieldError("labels", problem),))
