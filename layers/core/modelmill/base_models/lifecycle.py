"""Creating, reading and deleting base models."""

import time
from typing import Any

from modelmill.base_models.records import BaseModel, BaseModels
from modelmill.datasets import uploading
from modelmill.datasets.uploading import UPLOAD_SECONDS, KeptFiles, Upload, UploadForms, form_for
from modelmill.idempotency import IdempotencyKey
from modelmill.ids import check_name, new_id
from modelmill.timestamps import iso

NOUN = "base model"


def upload_key(tenant: str, base_model_id: str) -> str:
    """Where a base model's archive is uploaded to."""
    return f"base-models/{tenant}/{base_model_id}"


def create(
    base_models: BaseModels, forms: UploadForms, tenant: str, name: str, limits: tuple[int, int], key: str | None
) -> tuple[BaseModel, Upload | None]:
    """A base model that waits for its archive, and the form to upload it with.

    `limits` are the tenant's number of base models and the bytes of one archive. A repeated call with the same
    idempotency key gives the same base model, with a fresh form while it still waits.

    Raises:
        InvalidName, QuotaExceeded, IdempotencyMismatch.
    """
    most, max_bytes = limits
    now = time.time()
    record = BaseModel(
        tenant=tenant,
        base_model_id=new_id("bm"),
        name=check_name(name, "name"),
        status="awaiting_upload",
        created_at=iso(now),
        updated_at=iso(now),
        upload_until=int(now) + UPLOAD_SECONDS,
    )
    idempotency = IdempotencyKey.of(key, "base-models", {"name": name}) if key else None
    made = base_models.create(record, most, idempotency, now)
    place, seconds_left = upload_key(tenant, made.base_model_id), made.upload_until - int(now)
    return made, form_for(forms, place, max_bytes, made.status, seconds_left)


def find(base_models: BaseModels, tenant: str, base_model_id: str) -> BaseModel:
    """The base model.

    Raises:
        NotFound: the tenant has no such base model.
    """
    return uploading.find(base_models, NOUN, tenant, base_model_id)


def delete(base_models: BaseModels, files: KeptFiles, tenant: str, base_model_id: str) -> None:
    """Remove the bytes and keep the record as a tombstone, so that lineage can be followed.

    Raises:
        NotFound: the tenant has no such base model.
        Conflict: it is being validated, or a training job is using it.
    """
    uploading.delete(base_models, files, NOUN, find(base_models, tenant, base_model_id), time.time())


def describe(base_model: BaseModel) -> dict[str, Any]:
    """As clients see it."""
    always = ("base_model_id", "name", "status", "created_at", "updated_at")
    optional = ("bytes", "sha256", "parameters", "architecture", "files")
    return {
        **{name: getattr(base_model, name) for name in always},
        **{name: value for name in optional if (value := getattr(base_model, name)) is not None},
        "problems": base_model.problems,
    }
