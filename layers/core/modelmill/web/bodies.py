"""What clients may send: unknown fields are refused and types are not converted."""

from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from modelmill.datasets.kinds import FORMATS as DATASET_FORMATS
from modelmill.ids import NAME_PATTERN
from modelmill.jobs.catalogue import AUTO
from modelmill.jobs.compute import MIN_RUNTIME_SECONDS
from modelmill.jobs.optimization import FORMS as QUANTIZED_FORMS
from modelmill.jobs.optimization import MAX_METRIC_LOSS
from modelmill.jobs.submit import MAX_SEED
from modelmill.jobs.tuning import SETTINGS
from modelmill.models.manifest import Task
from modelmill.models.uploads import FORMATS, MAX_LABELS, MIN_LABELS

MAX_TEXT = 500
MAX_COLUMN_NAME = 500
MAX_FEATURES = 1000
MAX_HORIZON = 1000


class Body(BaseModel):
    """Base of all bodies."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _range(name: str) -> dict[str, JsonValue]:
    setting = SETTINGS[name]
    return {"minimum": setting.minimum, "maximum": setting.maximum, "default": setting.default}


_DATASET_FORMATS = list[JsonValue](sorted({name for names in DATASET_FORMATS.values() for name in names}))


class DatasetBody(Body):
    """`POST /v1/datasets`."""

    name: str = Field(min_length=1, max_length=63, description=f"matches {NAME_PATTERN}")
    # Checked in `datasets.lifecycle`, which knows which formats go with which kind.
    kind: str = Field("tabular", json_schema_extra={"enum": list[JsonValue](DATASET_FORMATS)})
    format: str = Field(json_schema_extra={"enum": _DATASET_FORMATS})
    target: str | None = Field(None, min_length=1, max_length=MAX_COLUMN_NAME)


class BaseModelBody(Body):
    """`POST /v1/base-models`."""

    name: str = Field(min_length=1, max_length=63, description=f"matches {NAME_PATTERN}")


class TuningBody(Body):
    """`tuning` of a training job; the ranges are checked in `jobs.tuning`, which knows which metrics a task has."""

    trials: int | None = Field(None, json_schema_extra=_range("trials"))
    timeout_s: int | None = Field(None, json_schema_extra=_range("timeout_s"))
    metric: str | None = Field(None, max_length=80, description="default: r2, roc_auc for two classes, f1 for more")


class ComputeBody(Body):
    """`compute` of a training job; checked in `jobs.compute`, which knows what the stack allows."""

    instance_type: str | None = Field(
        None, max_length=80, description="one that `GET /v1/usage` lists; default: by algorithm and size of the data"
    )
    instance_count: int | None = Field(
        None, json_schema_extra={"minimum": 1, "default": 1}, description="machines; more than one only for nets"
    )
    spot: bool = Field(False, description="on cheaper capacity that may be taken away; the job then goes on elsewhere")
    max_runtime_s: int | None = Field(
        None,
        json_schema_extra={"minimum": MIN_RUNTIME_SECONDS},
        description="seconds after which the job is stopped; default: the most that `GET /v1/usage` tells",
    )


class OptimizeBody(Body):
    """`optimize` of a training job, checked in `jobs.optimization`, which knows which algorithms have weights."""

    quantize: str = Field(max_length=80, json_schema_extra={"enum": list[JsonValue](QUANTIZED_FORMS)})
    max_metric_loss: float | None = Field(
        None,
        allow_inf_nan=False,
        description="of the metric that algorithms are ranked by, on held-out rows",
        json_schema_extra={"minimum": 0, "maximum": 1, "default": MAX_METRIC_LOSS},
    )


class TrainingJobBody(Body):
    """`POST /v1/training-jobs`."""

    dataset_id: str = Field(max_length=80)
    model: str = Field(max_length=63, description=f"matches {NAME_PATTERN}")
    target: str | None = Field(None, max_length=MAX_COLUMN_NAME, description="default: the dataset's")
    features: list[str] | None = Field(
        None, min_length=1, max_length=MAX_FEATURES, description="default: all but the target; of forecasting none"
    )
    # Checked in `jobs.submit`, which knows which tasks go with which kind of dataset.
    task: str = Field("auto", json_schema_extra={"enum": [AUTO, *get_args(Task)]})
    algorithm: str = "auto"
    hyperparameters: dict[str, Any] = Field(default_factory=dict, max_length=50)
    promote: bool = Field(False, description="make the version live when it is ready")
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    tuning: TuningBody | None = Field(None, description="search for the hyper-parameters that are not given")
    compute: ComputeBody | None = Field(None, description="the machine to train on")
    optimize: OptimizeBody | None = Field(None, description="keep a smaller form of the model, where it is as good")
    time: str | None = Field(
        None, max_length=MAX_COLUMN_NAME, description="forecasting: the timestamps; default: the only timestamp column"
    )
    series: str | None = Field(
        None, max_length=MAX_COLUMN_NAME, description="forecasting: names the series; default: a single series"
    )
    horizon: int | None = Field(
        None, ge=1, le=MAX_HORIZON, description="forecasting: steps ahead; default: one season, or 12 without seasons"
    )
    base_model: str | None = Field(None, max_length=80, description="texts: the id of the base model to start from")


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
