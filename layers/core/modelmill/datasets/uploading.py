"""What a dataset and a base model share: a record that waits for its file, which is then looked at once.

awaiting_upload ──▶ validating ──▶ ready ──▶ deleted
       │                 └───────▶ rejected
       └──▶ expired
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from modelmill.errors import Conflict, NotFound
from modelmill.idempotency import IdempotencyKey
from modelmill.pages import Page

UploadStatus = Literal["awaiting_upload", "validating", "ready", "rejected", "expired", "deleted"]
UPLOAD_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True)
class Upload:
    """A presigned form: POST the `fields` and then the file, as multipart/form-data, to `url`."""

    url: str
    fields: dict[str, str]


class UploadForms(Protocol):
    """Where files are uploaded to."""

    def form(self, key: str, max_bytes: int, seconds: int) -> Upload:
        """A form for exactly this key, at most this size, valid this long."""


class Uploaded(Protocol):
    """A record; `attempts` counts validations begun, `in_use` the jobs that need what was uploaded."""

    @property
    def tenant(self) -> str:
        """Whose it is."""

    @property
    def id(self) -> str:
        """Of the record among those of its kind."""

    @property
    def status(self) -> UploadStatus:
        """Where it is on its way."""

    @property
    def upload_until(self) -> int:
        """The second in which the form expires."""

    @property
    def attempts(self) -> int:
        """Validations begun."""

    @property
    def in_use(self) -> int:
        """Jobs that have not ended."""


class UploadedRecords[Record: Uploaded, Facts](Protocol):
    """Where records of one kind are kept; `Facts` are the fields that validation finds out."""

    def create(self, record: Record, limit: int, key: IdempotencyKey | None, now: float) -> Record:
        """Keep a new record and count it, or give back the one that was made under the same key.

        Raises:
            QuotaExceeded: the tenant has `limit` records.
            IdempotencyMismatch: the key was used for something else.
        """

    def get(self, tenant: str, record_id: str) -> Record | None:
        """The record, deleted ones included."""

    def page(self, tenant: str, limit: int, cursor: str | None) -> Page[Record]:
        """Newest first, without deleted ones."""

    def begin_validation(self, tenant: str, record_id: str, now: float) -> Record | None:
        """Take the lease and become `validating`; None when there is nothing to do or somebody else does it."""

    def renew(self, record: Record, now: float) -> None:
        """Keep the lease of this attempt alive."""

    def accept(self, record: Record, facts: Facts, now: float) -> bool:
        """Become `ready`; False when the lease of this attempt was lost."""

    def reject(self, record: Record, problems: list[dict[str, Any]], now: float) -> bool:
        """Become `rejected` and leave the count; False when the lease of this attempt was lost."""

    def expire(self, record: Record, now: float) -> bool:
        """Become `expired` and leave the count, if still `awaiting_upload`."""

    def look_again(self, record: Record, at: float) -> None:
        """Let the sweep come back later."""

    def delete(self, record: Record, now: float) -> bool:
        """Become `deleted` and leave the count; False while a job uses it or its state has changed."""


class KeptFiles(Protocol):
    """Where the files of accepted uploads lie."""

    def delete(self, tenant: str, record_id: str) -> None:
        """Remove every byte of what was uploaded."""


def form_for(forms: UploadForms, key: str, max_bytes: int, status: str, seconds_left: int) -> Upload | None:
    """The form to upload with, None where nothing is waited for any more."""
    if status != "awaiting_upload" or seconds_left <= 0:
        return None
    return forms.form(key, max_bytes, seconds_left)


def find[Record: Uploaded, Facts](
    records: UploadedRecords[Record, Facts], noun: str, tenant: str, record_id: str
) -> Record:
    """The record.

    Raises:
        NotFound: the tenant has none of this id.
    """
    record = records.get(tenant, record_id)
    if record is None:
        raise NotFound(f"no {noun} {record_id[:80]!r}")
    return record


def delete[Record: Uploaded, Facts](
    records: UploadedRecords[Record, Facts], files: KeptFiles, noun: str, record: Record, now: float
) -> None:
    """Remove the bytes and keep the record as a tombstone, so that lineage can be followed.

    Raises:
        Conflict: it is being validated, or a training job is using it.
    """
    if record.status != "deleted" and not records.delete(record, now):
        raise Conflict(f"{noun} {record.id} is being validated or used by a training job; try again when that ends")
    files.delete(record.tenant, record.id)
