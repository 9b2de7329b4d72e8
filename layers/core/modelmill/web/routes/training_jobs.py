"""`/v1/training-jobs` and `/v1/algorithms`."""

from typing import Any

from modelmill.errors import NotFound
from modelmill.jobs import submit
from modelmill.jobs.catalogue import CATALOGUE
from modelmill.jobs.progress import read_progress
from modelmill.jobs.records import Job
from modelmill.web.bodies import TrainingJobBody
from modelmill.web.control import ControlPlane, Cursor, Limit, Services


def add(control: ControlPlane) -> None:
    """Add the routes."""
    http, services = control.http, control.services

    @http.post("/v1/training-jobs", summary="Train a model on a dataset", tags=["training"], status_code=202)
    def create_training_job(body: TrainingJobBody) -> dict[str, Any]:
        key = control.demand("train")
        limit = services.limits.concurrent_jobs
        caller = submit.Caller(key.tenant, key.key_id, limit, services.offer, control.idempotency_key())
        new = submit.NewJob(**body.model_dump())
        sources = submit.Sources(services.datasets, services.dataset_files, services.base_models)
        job = submit.submit(services.jobs, sources, services.dispatches, caller, new)
        return submit.describe(job)

    @http.get("/v1/training-jobs", summary="List training jobs, newest first", tags=["training"])
    def list_training_jobs(limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
        page = services.jobs.page(control.demand("read").tenant, limit, cursor)
        return {"jobs": [submit.describe(each) for each in page.items], "next_cursor": page.next_cursor}

    @http.get("/v1/training-jobs/<job_id>", summary="A training job with its progress or result", tags=["training"])
    def get_training_job(job_id: str) -> dict[str, Any]:
        job = submit.find_job(services.jobs, control.demand("read").tenant, job_id)
        return submit.describe(job) | _progress(services, job) | _result(services, job)

    @http.post("/v1/training-jobs/<job_id>/stop", summary="Stop a training job", tags=["training"], status_code=202)
    def stop_training_job(job_id: str) -> dict[str, Any]:
        tenant = control.demand("train").tenant
        return submit.describe(submit.stop(services.jobs, services.stopper, tenant, job_id))

    @http.get("/v1/training-jobs/<job_id>/logs", summary="What a training job printed, oldest first", tags=["training"])
    def get_training_job_logs(job_id: str, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
        job = submit.find_job(services.jobs, control.demand("read").tenant, job_id)
        page = services.logs.page(job, cursor, limit)
        lines = [{"timestamp": line.timestamp, "message": line.message} for line in page.lines]
        return {"lines": lines, "next_cursor": page.next_cursor}

    @http.get("/v1/algorithms", summary="The algorithms and their hyper-parameters", tags=["training"])
    def list_algorithms() -> dict[str, Any]:
        control.demand("read")
        return {"algorithms": [algorithm.to_dict() for algorithm in CATALOGUE], "next_cursor": None}


def _progress(services: Services, job: Job) -> dict[str, Any]:
    if job.status == "queued":
        return {}
    progress = read_progress(services.logs.tail(job))
    tried = {"leaderboard": progress.leaderboard} if progress.leaderboard else {}
    return {"progress": progress.to_dict(), **tried}


def _result(services: Services, job: Job) -> dict[str, Any]:
    if job.status != "completed" or job.model_version is None:
        return {}
    try:
        manifest = services.bundles.manifest(job.tenant, job.model, job.model_version)
    except NotFound:
        return {}
    told = {name: getattr(manifest, name) for name in ("metrics", "split", "dropped", "leaderboard", "algorithm")}
    if manifest.tuning is not None:
        told["tuning"] = (job.tuning or {}) | {"result": manifest.tuning}
    if manifest.optimization is not None:
        told["optimize"] = (job.optimize or {}) | {"result": manifest.optimization}
    return told
