"""What a training job is asked to do, as the container reads it from `spec.json`."""

from dataclasses import asdict, dataclass
from typing import Any

from modelmill.datasets.kinds import DatasetKind
from modelmill.models.manifest import Task

SPEC_VERSION = 1


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """Resolved: the task is decided and the hyper-parameters are complete.

    algorithm: a name of the catalogue, or `auto`, which tries several within `time_budget_s` seconds.
    target: the column to be predicted; None where the task needs none.
    features: the columns to use; None means every column but the target, and none in forecasting.
    ignored_target: what the dataset calls its target where the task needs none; it is not learned from.
    optimize: what `jobs.optimization` resolves, or None where no smaller form of the model is asked for.
    time, series: of forecasting, the column of timestamps and the one that names the series, None for a single series.
    horizon: of forecasting, how many steps ahead; None means one season.
    base_model: what training starts from, and the hash of the archive that it came in.
    max_model_bytes: a bundle over this fails, or drops out of `auto`.
    tuning: what `jobs.tuning` resolves, or None where nothing is searched; `hyperparameters` are then those only
        that the search leaves as they are.
    compute: `jobs.compute.Compute` of the machine that this runs on, or None where nobody chose one.
    """

    job_id: str
    model: str
    dataset_id: str
    dataset_sha256: str
    kind: DatasetKind
    task: Task
    algorithm: str
    hyperparameters: dict[str, Any]
    target: str | None
    features: list[str] | None
    seed: int
    catalogue_version: int
    ignored_target: str | None = None
    time_budget_s: int = 600
    max_model_bytes: int = 250 * 1024 * 1024
    tuning: dict[str, Any] | None = None
    optimize: dict[str, Any] | None = None
    time: str | None = None
    series: str | None = None
    horizon: int | None = None
    base_model: str | None = None
    base_model_sha256: str | None = None
    compute: dict[str, Any] | None = None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "TrainingSpec":
        """The spec that `to_dict` wrote.

        Raises:
            ValueError: written by a newer version of modelmill.
        """
        fields = dict(data)
        version = fields.pop("spec_version")
        if version != SPEC_VERSION:
            raise ValueError(f"spec_version is {version}, this code reads {SPEC_VERSION}")
        return cls(**fields)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"spec_version": SPEC_VERSION, **asdict(self)}
