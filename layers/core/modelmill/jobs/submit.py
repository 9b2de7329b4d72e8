"""Asking for a training job, stopping it and describing it."""

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from modelmill.base_models.records import BaseModel, BaseModels
from modelmill.datasets.lifecycle import DatasetFiles, find
from modelmill.datasets.records import Dataset, Datasets
from modelmill.errors import Conflict, FieldError, InvalidRequest, NotFound, Unavailable
from modelmill.idempotency import IdempotencyKey
from modelmill.ids import check_name, new_id
from modelmill.jobs.catalogue import AUTO, CATALOGUE_VERSION, Algorithm, algorithms, resolve_hyperparameters
from modelmill.jobs.catalogue import find as find_algorithm
from modelmill.jobs.compute import Offer, Work, limit_search, resolve_compute
from modelmill.jobs.optimization import resolve_optimize
from modelmill.jobs.records import Job, Jobs
from modelmill.jobs.trainability import Asked, decide
from modelmill.jobs.trainability.asked import refuse
from modelmill.jobs.tuning import resolve_tuning
from modelmill.models.manifest import Task
from modelmill.timestamps import iso

QUEUE_SECONDS = 6 * 3600
MAX_SEED = 2**31 - 1


class JobQueue(Protocol):
    """A queue that tells a function to work on a job."""

    def send(self, tenant: str, job_id: str) -> None:
        """Tell it."""


class Stopper(Protocol):
    """What can stop a job that is running."""

    def stop(self, job: Job) -> None:
        """Ask for a stop; nothing happens where the job is not running."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a client asks for."""

    dataset_id: str
    model: str
    target: str | None = None
    features: list[str] | None = None
    task: str = "auto"
    algorithm: str = "auto"
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    promote: bool = False
    seed: int | None = None
    tuning: dict[str, Any] | None = None
    optimize: dict[str, Any] | None = None
    time: str | None = None
    series: str | None = None
    horizon: int | None = None
    base_model: str | None = None
    compute: dict[str, Any] | None = None


class Sources(NamedTuple):
    """What jobs start from."""

    datasets: Datasets
    files: DatasetFiles
    base_models: BaseModels


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, how much of it they may have, and their idempotency key."""

    tenant: str
    key_id: str
    max_jobs: int
    offer: Offer
    idempotency_key: str | None = None


def submit(jobs: Jobs, sources: Sources, queue: JobQueue, caller: Caller, new: NewJob) -> Job:
    """A queued job, resolved and checked against the dataset's profile.

    The row is the truth: where the message to the queue is lost, the sweep sends it again.

    Raises:
        NotFound, Conflict: the dataset does not exist or is not ready.
        InvalidName, InvalidRequest, Untrainable: what is asked for cannot be trained.
        QuotaExceeded, IdempotencyMismatch.
    """
    check_name(new.model, "model")
    job = _resolve(sources, caller, new)
    body = {name: getattr(new, name) for name in NewJob.__dataclass_fields__}
    key = IdempotencyKey.of(caller.idempotency_key, "training-jobs", body) if caller.idempotency_key else None
    job = jobs.create(job, caller.max_jobs, key, time.time())
    if job.status == "queued":
        with suppress(Unavailable):
            queue.send(job.tenant, job.job_id)
    return job


def find_job(jobs: Jobs, tenant: str, job_id: str) -> Job:
    """The job.

    Raises:
        NotFound: the tenant has no such job.
    """
    job = jobs.get(tenant, job_id)
    if job is None:
        raise NotFound(f"no training job {job_id[:80]!r}")
    return job


def stop(jobs: Jobs, stopper: Stopper, tenant: str, job_id: str) -> Job:
    """Ask for a stop; a queued job stops at once, a running one within a minute or so.

    Raises:
        NotFound: no such job.
        Conflict: it has ended, or its model is being registered.
    """
    job = find_job(jobs, tenant, job_id)
    asked = jobs.request_stop(tenant, job_id, time.time())
    if asked is None:
        raise Conflict(f"training job {job_id} is {find_job(jobs, tenant, job_id).status} and can no longer be stopped")
    leased = jobs.lease(tenant, job_id, "queued", time.time())
    if leased:
        return jobs.advance(leased, "stopped", time.time(), None) or job
    stopper.stop(asked)
    return asked


def describe(job: Job) -> dict[str, Any]:
    """As clients see it in a list."""
    always = (
        "job_id",
        "model",
        "dataset_id",
        "kind",
        "target",
        "task",
        "algorithm",
        "hyperparameters",
        "seed",
        "promote",
        "compute",
    )
    optional = (
        "features", "ignored_target", "time", "series", "horizon", "base_model", "tuning", "optimize", "reason",
        "failure", "model_version",
    )  # fmt: skip
    stated = {name: getattr(job, name) for name in (*always, "status", "created_at", "updated_at")}
    return stated | {name: value for name in optional if (value := getattr(job, name)) is not None}


def _ready_dataset(datasets: Datasets, tenant: str, dataset_id: str) -> Dataset:
    dataset = find(datasets, tenant, dataset_id)
    if dataset.status != "ready":
        raise Conflict(
            f"dataset {dataset_id} is {dataset.status}; training needs a ready one", code="dataset_not_ready"
        )
    return dataset


def _resolve(sources: Sources, caller: Caller, new: NewJob) -> Job:
    dataset = _ready_dataset(sources.datasets, caller.tenant, new.dataset_id)
    schema = sources.files.schema(dataset.tenant, dataset.dataset_id, dataset.sha256 or "")
    asked = Asked(new.target, new.features, new.task, new.algorithm, dataset.target, new.time, new.series, new.horizon)
    _check_task(schema.kind, new.task)
    decision = decide(schema, asked)
    _check_algorithm(new.algorithm, schema.kind, decision.task)
    base_model = _base_model(sources.base_models, caller.tenant, find_algorithm(schema.kind, new.algorithm), new)
    work = Work(schema.kind, new.algorithm, schema.rows, dataset.bytes or 0, new.tuning is not None)
    compute = resolve_compute(caller.offer, work, new.compute)
    complete, tuning = _search(schema.kind, decision.task, new, compute.max_runtime_s)
    now = time.time()
    return Job(
        tenant=dataset.tenant,
        job_id=new_id("job"),
        model=new.model,
        dataset_id=dataset.dataset_id,
        dataset_sha256=dataset.sha256 or "",
        kind=schema.kind,
        target=decision.target,
        task=decision.task,
        algorithm=new.algorithm,
        hyperparameters=_decided(new, complete) if tuning else complete,
        features=new.features,
        seed=new.seed if new.seed is not None else secrets.randbelow(MAX_SEED),
        catalogue_version=CATALOGUE_VERSION,
        promote=new.promote,
        created_by=caller.key_id,
        status="queued",
        created_at=iso(now),
        updated_at=iso(now),
        queued_until=int(now) + QUEUE_SECONDS,
        tuning=tuning,
        optimize=resolve_optimize(schema.kind, new.algorithm, decision.task, new.optimize),
        ignored_target=decision.ignored_target,
        time=decision.time,
        series=new.series,
        horizon=new.horizon,
        base_model=base_model.base_model_id if base_model else None,
        base_model_sha256=base_model.sha256 if base_model else None,
        compute=compute.to_dict(),
    )


def _base_model(base_models: BaseModels, tenant: str, algorithm: Algorithm, new: NewJob) -> BaseModel | None:
    """What the job starts from, where its algorithm takes that.

    Raises:
        InvalidRequest: it is needed and not given, given and of no use, unknown, or not ready.
    """
    if new.base_model is None:
        if algorithm.base_model == "required":
            refuse("base_model", f"{algorithm.name} needs the id of a base model; POST /v1/base-models takes one")
        return None
    if algorithm.base_model == "none":
        refuse("base_model", f"{algorithm.name} starts from no base model; leave it out")
    found = base_models.get(tenant, new.base_model)
    if found is None:
        refuse("base_model", f"no base model {new.base_model[:80]!r}")
    if found.status != "ready":
        refuse("base_model", f"base model {found.base_model_id} is {found.status}; training needs a ready one")
    return found


def _search(kind: str, task: Task, new: NewJob, max_runtime_s: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The complete hyper-parameters, and the tuning, neither of which may outlast the job."""
    complete = resolve_hyperparameters(kind, new.algorithm, new.hyperparameters)
    tuning = resolve_tuning(kind, new.algorithm, task, new.hyperparameters, new.tuning)
    complete = limit_search("hyperparameters.time_budget_s", new.hyperparameters, complete, max_runtime_s)
    if tuning is not None:
        tuning = limit_search("tuning.timeout_s", new.tuning or {}, tuning, max_runtime_s)
    return complete, tuning


def _decided(new: NewJob, complete: dict[str, Any]) -> dict[str, Any]:
    """Those hyper-parameters that tuning leaves as they are; `auto` has only such."""
    return {name: value for name, value in complete.items() if new.algorithm == AUTO or name in new.hyperparameters}


def _check_task(kind: str, task: str) -> None:
    known = [AUTO, *dict.fromkeys(task for entry in algorithms(kind).values() for task in entry.tasks)]
    if task not in known:
        message = f"got {task[:80]!r}, expected one of {', '.join(known)} for {kind} data"
        raise InvalidRequest(f"task: {message}", errors=(FieldError("task", message),))


def _check_algorithm(name: str, kind: str, task: str) -> None:
    algorithm = find_algorithm(kind, name)
    if task not in algorithm.tasks:
        message = f"{name!r} does {', '.join(algorithm.tasks)} on {kind} data, not {task}"
        raise InvalidRequest(message, errors=(FieldError("algorithm", message),))
