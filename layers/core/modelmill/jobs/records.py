"""A training job's record and its states.

queued ──▶ starting ──▶ training ──▶ registering ──▶ completed
   │           └────────────┴─────────────┴─────────▶ failed
   └───────────┴────────────┴───────────────────────▶ stopped

States only move to a higher rank and terminal ones stick, so late and repeated events change nothing. The one way
back is a new attempt: after a fault of the platform a job is queued again under the next attempt's name.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from modelmill.datasets.kinds import DatasetKind
from modelmill.idempotency import IdempotencyKey
from modelmill.jobs.compute import Compute
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.manifest import Task
from modelmill.models.registry import AliasMove, ModelVersion
from modelmill.pages import Page

JobStatus = Literal["queued", "starting", "training", "registering", "completed", "failed", "stopped"]
RANKS: dict[JobStatus, int] = {
    "queued": 0,
    "starting": 1,
    "training": 2,
    "registering": 3,
    "completed": 9,
    "failed": 9,
    "stopped": 9,
}
TERMINAL_RANK = 9


@dataclass(frozen=True, slots=True)
class Job:
    """`attempt` counts SageMaker jobs, from 1; `looks` counts how often the sweep has re-driven the present state."""

    tenant: str
    job_id: str
    model: str
    dataset_id: str
    dataset_sha256: str
    kind: DatasetKind
    target: str | None
    task: Task
    algorithm: str
    hyperparameters: dict[str, Any]
    features: list[str] | None
    seed: int
    catalogue_version: int
    promote: bool
    created_by: str
    status: JobStatus
    created_at: str
    updated_at: str
    queued_until: int
    ignored_target: str | None = None
    attempt: int = 1
    looks: int = 0
    stop_requested: bool = False
    reason: str | None = None
    failure: dict[str, str] | None = None
    model_version: int | None = None
    tuning: dict[str, Any] | None = None
    optimize: dict[str, Any] | None = None
    time: str | None = None
    series: str | None = None
    horizon: int | None = None
    base_model: str | None = None
    base_model_sha256: str | None = None
    compute: dict[str, Any] = field(default_factory=lambda: Compute().to_dict())

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return RANKS[self.status] == TERMINAL_RANK

    def spec(self) -> TrainingSpec:
        """What the container reads."""
        names = set(TrainingSpec.__dataclass_fields__) - {"time_budget_s", "max_model_bytes"}
        return TrainingSpec(**{name: value for name, value in asdict(self).items() if name in names})


class Jobs(Protocol):
    """Where records of jobs are kept."""

    def create(self, job: Job, limit: int, key: IdempotencyKey | None, now: float) -> Job:
        """Keep a new record and count it, or give back the one that was made under the same key.

        Raises:
            QuotaExceeded: the tenant has `limit` jobs that have not ended.
            IdempotencyMismatch: the key was used for something else.
            Conflict: the dataset or the base model is no longer ready.
        """

    def get(self, tenant: str, job_id: str) -> Job | None:
        """The record."""

    def page(self, tenant: str, limit: int, cursor: str | None) -> Page[Job]:
        """Newest first."""

    def owner(self, job_id: str) -> str | None:
        """The tenant of a job."""

    def lease(self, tenant: str, job_id: str, status: JobStatus, now: float) -> Job | None:
        """Take the right to work on a job in this state; None when it has moved on or somebody else works on it."""

    def renew(self, job: Job, now: float) -> None:
        """Keep the lease alive while the state is the same."""

    def advance(self, job: Job, status: JobStatus, now: float, due_at: float | None, **changes: Any) -> Job | None:
        """Move this attempt to a state of higher rank, or None when it is already there or past it.

        A terminal state gives back the quota and the dataset in the same transaction and is never due.
        """

    def retry(self, job: Job, now: float, reason: str) -> Job | None:
        """Queue the next attempt, or None when this one has moved on."""

    def postpone(self, job: Job, now: float, due_at: float, reason: str | None = None) -> None:
        """Stay in this state, give back the lease and be looked at again at `due_at`; `reason` if it waits."""

    def look_again(self, job: Job, at: float) -> None:
        """Let the sweep come back later, whoever holds the lease."""

    def request_stop(self, tenant: str, job_id: str, now: float) -> Job | None:
        """Ask for a stop, or None when the job has reached `registering` or has ended."""

    def number_version(self, job: Job) -> int:
        """The number of the model version that this job makes: the next free one, the same when asked again."""

    def complete(self, job: Job, version: ModelVersion, move: AliasMove | None, now: float) -> bool:
        """Register the version, move the alias and complete the job at once; False when one of these has changed."""

    def refuse(self, job: Job, version: ModelVersion, failure: dict[str, str], now: float) -> bool:
        """Keep the version as rejected and fail the job at once; False when the job has moved on."""
