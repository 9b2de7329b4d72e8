"""Creating, reading and deleting datasets."""

import time
from dataclasses import dataclass
from typing import Any, Protocol

from modelmill.datasets import uploading
from modelmill.datasets.kinds import FORMATS
from modelmill.datasets.records import Dataset, Datasets
from modelmill.datasets.schema import Schema
from modelmill.datasets.uploading import UPLOAD_SECONDS, KeptFiles, Upload, UploadForms, form_for
from modelmill.errors import FieldError, InvalidRequest
from modelmill.idempotency import IdempotencyKey
from modelmill.ids import check_name, new_id
from modelmill.timestamps import iso

NOUN = "dataset"


class DatasetFiles(KeptFiles, Protocol):
    """Where validated data lies."""

    def schema(self, tenant: str, dataset_id: str, sha256: str) -> Schema:
        """The content of `schema.json`."""


@dataclass(frozen=True, slots=True)
class NewDataset:
    """What a client asks for."""

    name: str
    kind: str
    format: str
    target: str | None


def upload_key(tenant: str, dataset_id: str) -> str:
    """Where a dataset's file is uploaded to."""
    return f"datasets/{tenant}/{dataset_id}"


def create(
    datasets: Datasets, forms: UploadForms, tenant: str, new: NewDataset, limits: tuple[int, int], key: str | None
) -> tuple[Dataset, Upload | None]:
    """A dataset that waits for its file, and the form to upload it with.

    `limits` are the tenant's number of datasets and the bytes of one upload. A repeated call with the same
    idempotency key gives the same dataset, with a fresh form while it still waits.

    Raises:
        InvalidName, QuotaExceeded, IdempotencyMismatch.
        InvalidRequest: the kind is unknown, or does not come in this format.
    """
    max_datasets, max_bytes = limits
    now = time.time()
    check_name(new.name, "name")
    _check_format(new)
    body = {"name": new.name, "kind": new.kind, "format": new.format, "target": new.target}
    record = Dataset(
        tenant=tenant,
        dataset_id=new_id("ds"),
        **body,  # type: ignore[arg-type]
        status="awaiting_upload",
        created_at=iso(now),
        updated_at=iso(now),
        upload_until=int(now) + UPLOAD_SECONDS,
    )
    idempotency = IdempotencyKey.of(key, "datasets", body) if key else None
    dataset = datasets.create(record, max_datasets, idempotency, now)
    place, seconds_left = upload_key(tenant, dataset.dataset_id), dataset.upload_until - int(now)
    return dataset, form_for(forms, place, max_bytes, dataset.status, seconds_left)


def _check_format(new: NewDataset) -> None:
    if new.kind not in FORMATS:
        message = f"got {new.kind[:80]!r}, expected one of {', '.join(FORMATS)}"
        raise InvalidRequest(f"kind: {message}", errors=(FieldError("kind", message),))
    if new.format not in FORMATS[new.kind]:
        message = f"got {new.format[:80]!r}, expected one of {', '.join(FORMATS[new.kind])} for {new.kind} data"
        raise InvalidRequest(f"format: {message}", errors=(FieldError("format", message),))


def find(datasets: Datasets, tenant: str, dataset_id: str) -> Dataset:
    """The dataset.

    Raises:
        NotFound: the tenant has no such dataset.
    """
    return uploading.find(datasets, NOUN, tenant, dataset_id)


def delete(datasets: Datasets, files: DatasetFiles, tenant: str, dataset_id: str) -> None:
    """Remove the bytes and keep the record as a tombstone, so that lineage can be followed.

    Raises:
        NotFound: the tenant has no such dataset.
        Conflict: it is being validated, or a training job is using it.
    """
    uploading.delete(datasets, files, NOUN, find(datasets, tenant, dataset_id), time.time())


def describe(dataset: Dataset, schema: Schema | None = None) -> dict[str, Any]:
    """As clients see it; `schema` is that of a ready dataset."""
    optional = {name: getattr(dataset, name) for name in ("bytes", "sha256", "rows", "duplicate_rows")}
    return {
        "dataset_id": dataset.dataset_id,
        "name": dataset.name,
        "kind": dataset.kind,
        "format": dataset.format,
        "target": dataset.target,
        "status": dataset.status,
        "created_at": dataset.created_at,
        "updated_at": dataset.updated_at,
        **{name: value for name, value in optional.items() if value is not None},
        **({"schema": {"columns": [column.to_dict() for column in schema.columns]}} if schema else {}),
        "problems": dataset.problems,
    }
