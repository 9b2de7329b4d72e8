"""A dataset's record and its states.

awaiting_upload ──▶ validating ──▶ ready ──▶ deleted
       │                 └───────▶ rejected
       └──▶ expired
"""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from modelmill.datasets.kinds import DatasetKind
from modelmill.idempotency import IdempotencyKey
from modelmill.pages import Page

DatasetStatus = Literal["awaiting_upload", "validating", "ready", "rejected", "expired", "deleted"]
UPLOAD_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True)
class Dataset:
    """`sha256` is that of the uploaded bytes and part of the pin; `attempts` counts validations begun."""

    tenant: str
    dataset_id: str
    name: str
    kind: DatasetKind
    format: str
    target: str | None
    status: DatasetStatus
    created_at: str
    updated_at: str
    upload_until: int
    attempts: int = 0
    in_use: int = 0
    sha256: str | None = None
    bytes: int | None = None
    rows: int | None = None
    columns: int | None = None
    duplicate_rows: int | None = None
    problems: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What validation found out about the bytes."""

    sha256: str
    bytes: int
    rows: int
    columns: int
    duplicate_rows: int


class Datasets(Protocol):
    """Where records of datasets are kept."""

    def create(self, dataset: Dataset, limit: int, key: IdempotencyKey | None, now: float) -> Dataset:
        """Keep a new record and count it, or give back the one that was made under the same key.

        Raises:
            QuotaExceeded: the tenant has `limit` datasets.
            IdempotencyMismatch: the key was used for something else.
        """

    def get(self, tenant: str, dataset_id: str) -> Dataset | None:
        """The record, deleted ones included."""

    def page(self, tenant: str, limit: int, cursor: str | None) -> Page[Dataset]:
        """Newest first, without deleted ones."""

    def begin_validation(self, tenant: str, dataset_id: str, now: float) -> Dataset | None:
        """Take the lease and become `validating`; None when there is nothing to do or somebody else does it."""

    def renew(self, dataset: Dataset, now: float) -> None:
        """Keep the lease of this attempt alive."""

    def accept(self, dataset: Dataset, facts: DatasetFacts, now: float) -> bool:
        """Become `ready`; False when the lease of this attempt was lost."""

    def reject(self, dataset: Dataset, problems: list[dict[str, Any]], now: float) -> bool:
        """Become `rejected` and leave the count; False when the lease of this attempt was lost."""

    def expire(self, dataset: Dataset, now: float) -> bool:
        """Become `expired` and leave the count, if still `awaiting_upload`."""

    def look_again(self, dataset: Dataset, at: float) -> None:
        """Let the sweep come back later."""

    def delete(self, dataset: Dataset, now: float) -> bool:
        """Become `deleted` and leave the count; False while a job uses it or its state has changed."""
