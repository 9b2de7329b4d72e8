"""Typed settings of each function, read from a mapping (in production `os.environ`).

A field `store_bucket` comes from the variable `MODELMILL_STORE_BUCKET`.
"""

from collections.abc import Mapping
from typing import NamedTuple

PREFIX = "MODELMILL_"


def read_settings[Settings](kind: type[Settings], environment: Mapping[str, str]) -> Settings:
    """The settings of this kind in `environment`.

    Raises:
        ValueError: variables are missing or not whole numbers; all of them are named.
    """
    values: dict[str, str | int] = {}
    problems = []
    for field, expected in kind.__annotations__.items():
        name = PREFIX + field.upper()
        text = environment.get(name)
        if text is None:
            problems.append(f"{name} is not set")
        elif expected is not int:
            values[field] = text
        elif text.isdecimal():
            values[field] = int(text)
        else:
            problems.append(f"{name} is {text!r}, expected a whole number")
    if problems:
        raise ValueError("; ".join(problems))
    return kind(**values)


class ApiSettings(NamedTuple):
    """The control plane; `instance_types` are separated by commas."""

    table: str
    store_bucket: str
    stack: str
    uploads_bucket: str
    dispatch_queue_url: str
    max_concurrent_jobs: int
    max_datasets: int
    max_upload_bytes: int
    max_base_models: int
    max_base_model_bytes: int
    max_model_uploads: int
    max_model_bytes: int
    max_monthly_predictions: int
    instance_types: str
    max_training_instances: int
    max_training_seconds: int
    cors_origin: str


class InferSettings(NamedTuple):
    """The data plane; a quota of 0 predictions sets no limit."""

    table: str
    store_bucket: str
    max_monthly_predictions: int


class IngestSettings(NamedTuple):
    """Validation of uploads."""

    table: str
    store_bucket: str
    uploads_bucket: str


class DispatchSettings(NamedTuple):
    """Starting training jobs; `training_code` is a prefix of the store that ends in '/'."""

    table: str
    store_bucket: str
    stack: str
    training_role_arn: str
    training_image_cpu: str
    training_image_gpu: str
    training_code: str


class TrackSettings(NamedTuple):
    """Following training jobs, and the sweep."""

    table: str
    store_bucket: str
    stack: str
    uploads_bucket: str
    ingest_queue_url: str
    dispatch_queue_url: str
    admit_queue_url: str


class AdmitSettings(NamedTuple):
    """Taking model bundles into the registry."""

    table: str
    store_bucket: str
    stack: str
    uploads_bucket: str
