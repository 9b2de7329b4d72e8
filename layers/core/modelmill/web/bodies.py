"""What clients may send: unknown fields are refused and types are not converted."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modelmill.ids import NAME_PATTERN
from modelmill.jobs.submit import MAX_SEED
from modelmill.models.uploads import FORMATS, MAX_LABELS, MIN_LABELS

MAX_TEXT = 500
MAX_COLUMN_NAME = 500
MAX_FEATURES = 1000


class Body(BaseModel):
    """Base of all bodies."""

    model_config = ConfigDict(extra="forbid", strict=True)


class DatasetBody(Body):
    """`POST /v1/datasets`."""

    name: str = Field(min_length=1, max_length=63, description=f"matches {NAME_PATTERN}")
    kind: Literal["tabular"] = "tabular"
    format: Literal["csv", "jsonl", "parquet"]
    target: str | None = Field(None, min_length=1, max_length=MAX_COLUMN_NAME)


class TrainingJobBody(Body):
    """`POST /v1/training-jobs`."""

    dataset_id: str = Field(max_length=80)
    model: str = Field(max_length=63, description=f"matches {NAME_PATTERN}")
    target: str | None = Field(None, max_length=MAX_COLUMN_NAME, description="default: the dataset's")
    features: list[str] | None = Field(
        None, min_length=1, max_length=MAX_FEATURES, description="default: all but the target"
    )
    task: Literal["auto", "regression", "binary", "multiclass"] = "auto"
    algorithm: str = "auto"
    hyperparameters: dict[str, Any] = Field(default_factory=dict, max_length=50)
    promote: bool = Field(False, description="make the version live when it is ready")
    seed: int | None = Field(None, ge=0, le=MAX_SEED)


class VersionBody(Body):
    """`POST /v1/models/{model}/versions`."""

    # Checked in `models.uploads`, whose refusal has a code of its own.
    format: str = Field(json_schema_extra={"enum": list(FORMATS)})
    labels: list[Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]] | None = Field(
        None,
        min_length=MIN_LABELS,
        max_length=MAX_LABELS,
        description="distinct names of the classes, in the order of the last axis of the last output",
    )
    promote: bool = Field(False, description="make the version live when it is ready")


class AliasBody(Body):
    """`PUT /v1/models/{model}/aliases/{alias}`."""

    version: int = Field(ge=1, le=99_999_999)
    expected_revision: int | None = Field(None, ge=0)
    reason: str = Field(min_length=1, max_length=MAX_TEXT)


class RollbackBody(Body):
    """`POST /v1/models/{model}/rollback`."""

    alias: str = "live"
    reason: str = Field(min_length=1, max_length=MAX_TEXT)


class KeyBody(Body):
    """`POST /v1/keys`."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")
    scopes: list[str] = Field(min_length=1, max_length=4)
