"""Typed settings of each function, read from a mapping (in production `os.environ`).

A field `store_bucket` comes from the variable `MODELMILL_STORE_BUCKET`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

PREFIX = "MODELMILL_"


@dataclass(frozen=True, slots=True)
class Settings:
    """What every function needs."""

    table: str
    store_bucket: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """The settings in `environment`.

        Raises:
            ValueError: variables are missing or not whole numbers; all of them are named.
        """
        values: dict[str, str | int] = {}
        problems = []
        for field in fields(cls):
            name = PREFIX + field.name.upper()
            text = environment.get(name)
            if text is None:
                problems.append(f"{name} is not set")
            elif field.type is not int:
                values[field.name] = text
            elif text.isdecimal():
                values[field.name] = int(text)
            else:
                problems.append(f"{name} is {text!r}, expected a whole number")
        if problems:
            raise ValueError("; ".join(problems))
        return cls(**values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class ApiSettings(Settings):
    """The control plane."""

    stack: str
    uploads_bucket: str
    dispatch_queue_url: str
    max_concurrent_jobs: int
    max_datasets: int
    max_upload_bytes: int
    max_model_uploads: int
    max_model_bytes: int
    max_monthly_predictions: int
    cors_origin: str


@dataclass(frozen=True, slots=True)
class InferSettings(Settings):
    """The data plane; a quota of 0 predictions sets no limit."""

    max_monthly_predictions: int


@dataclass(frozen=True, slots=True)
class IngestSettings(Settings):
    """Validation of uploads."""

    uploads_bucket: str


@dataclass(frozen=True, slots=True)
class DispatchSettings(Settings):
    """Starting training jobs; `training_code` is a prefix of the store that ends in '/'."""

    stack: str
    training_role_arn: str
    training_image: str
    training_code: str
    instance_type: str
    max_training_seconds: int


@dataclass(frozen=True, slots=True)
class TrackSettings(Settings):
    """Following training jobs, and the sweep."""

    stack: str
    uploads_bucket: str
    ingest_queue_url: str
    dispatch_queue_url: str
    admit_queue_url: str


@dataclass(frozen=True, slots=True)
class AdmitSettings(Settings):
    """Taking model bundles into the registry."""

    stack: str
    uploads_bucket: str
