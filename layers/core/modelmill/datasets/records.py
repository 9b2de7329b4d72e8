"""A dataset's record; `datasets.uploading` has its states."""

from dataclasses import dataclass, field
from typing import Any

from modelmill.datasets.kinds import DatasetKind
from modelmill.datasets.uploading import UploadedRecords, UploadStatus


@dataclass(frozen=True, slots=True)
class Dataset:
    """`sha256` is that of the uploaded bytes and part of the pin; `attempts` counts validations begun."""

    tenant: str
    dataset_id: str
    name: str
    kind: DatasetKind
    format: str
    target: str | None
    status: UploadStatus
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

    @property
    def id(self) -> str:
        """See `Uploaded`."""
        return self.dataset_id


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What validation found out about the bytes."""

    sha256: str
    bytes: int
    rows: int
    columns: int
    duplicate_rows: int


type Datasets = UploadedRecords[Dataset, DatasetFacts]
