"""A base model's record; `datasets.uploading` has its states."""

from dataclasses import dataclass, field
from typing import Any

from modelmill.datasets.uploading import UploadedRecords, UploadStatus


@dataclass(frozen=True, slots=True)
class BaseModel:
    """`sha256` is that of the uploaded bytes and part of the pin; `attempts` counts validations begun.

    architecture: `Architecture.to_dict()`; files: what was kept, and the bytes of each.
    """

    tenant: str
    base_model_id: str
    name: str
    status: UploadStatus
    created_at: str
    updated_at: str
    upload_until: int
    attempts: int = 0
    in_use: int = 0
    sha256: str | None = None
    bytes: int | None = None
    parameters: int | None = None
    architecture: dict[str, Any] | None = None
    files: dict[str, int] | None = None
    problems: list[dict[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """See `Uploaded`."""
        return self.base_model_id


@dataclass(frozen=True, slots=True)
class BaseModelFacts:
    """What validation found out; `parameters` are those that training uses."""

    sha256: str
    bytes: int
    parameters: int
    architecture: dict[str, Any]
    files: dict[str, int]


type BaseModels = UploadedRecords[BaseModel, BaseModelFacts]
