"""Looking again at everything that is past due, so that lost events only cost time."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from modelmill.base_models.lifecycle import upload_key as base_model_key
from modelmill.base_models.records import BaseModel, BaseModels
from modelmill.datasets.arrival import Uploads
from modelmill.datasets.lifecycle import upload_key as dataset_key
from modelmill.datasets.records import Dataset, Datasets
from modelmill.datasets.uploading import Uploaded, UploadedRecords
from modelmill.jobs.records import Job, Jobs
from modelmill.jobs.submit import JobQueue
from modelmill.jobs.track import Tracker, follow
from modelmill.models.registry import ModelVersion
from modelmill.models.uploads import ModelUploads
from modelmill.models.uploads import upload_key as model_key

LOOK_AGAIN_SECONDS = 120
MAX_LOOKS = 20
GRACE_SECONDS = 3600


type DueRecord = Dataset | BaseModel | Job | ModelVersion


class DueRows(Protocol):
    """The index of rows that asked to be looked at."""

    def due(self, now: float) -> Iterable[DueRecord]:
        """Records past due."""


class UploadQueue(Protocol):
    """The queue that tells of uploads."""

    def send(self, key: str) -> None:
        """An object lies under this key."""


@dataclass(frozen=True, slots=True)
class Sweeper:
    """The stores that the sweep needs; `arrivals` are those of datasets and base models."""

    rows: DueRows
    datasets: Datasets
    base_models: BaseModels
    uploads: Uploads
    arrivals: UploadQueue
    model_uploads: ModelUploads
    model_arrivals: UploadQueue
    jobs: Jobs
    dispatches: JobQueue
    tracker: Tracker


def sweep(sweeper: Sweeper) -> int:
    """Re-drive every record past due; how many there were."""
    count = 0
    for record in sweeper.rows.due(time.time()):
        count += 1
        match record:
            case Dataset():
                key = dataset_key(record.tenant, record.dataset_id)
                _sweep_upload(sweeper, sweeper.datasets, record, key)
            case BaseModel():
                key = base_model_key(record.tenant, record.base_model_id)
                _sweep_upload(sweeper, sweeper.base_models, record, key)
            case ModelVersion():
                _sweep_model(sweeper, record)
            case Job():
                _sweep_job(sweeper, record)
    return count


def _sweep_upload[Record: Uploaded, Facts](
    sweeper: Sweeper, records: UploadedRecords[Record, Facts], record: Record, key: str
) -> None:
    now = time.time()
    if sweeper.uploads.size(key) is not None:
        records.look_again(record, now + LOOK_AGAIN_SECONDS)
        sweeper.arrivals.send(key)
    elif record.status == "awaiting_upload" and now > record.upload_until:
        records.expire(record, now)
    elif record.status == "validating":
        message = "the uploaded file disappeared before it was validated; upload it again"
        records.reject(record, [{"code": "upload_lost", "message": message}], now)
    else:
        records.look_again(record, now + LOOK_AGAIN_SECONDS)


def _sweep_model(sweeper: Sweeper, version: ModelVersion) -> None:
    now = time.time()
    key = model_key(version.tenant, version.model, version.version)
    if sweeper.uploads.size(key) is not None:
        sweeper.model_uploads.look_again(version, now + LOOK_AGAIN_SECONDS)
        sweeper.model_arrivals.send(key)
    elif version.status == "awaiting_upload" and now > version.upload_until:
        sweeper.model_uploads.expire(version, now)
    elif version.status == "validating":
        message = "the uploaded file disappeared before it was validated; upload it again as a new version"
        sweeper.model_uploads.reject(version, {"code": "upload_lost", "message": message}, now)
    else:
        sweeper.model_uploads.look_again(version, now + LOOK_AGAIN_SECONDS)


def _sweep_job(sweeper: Sweeper, job: Job) -> None:
    match job.status:
        case "queued" if time.time() > job.queued_until + GRACE_SECONDS:
            _fail(
                sweeper, job, "not_started", "the job could not be started for hours; ask the operator, then try again"
            )
        case "queued":
            _redrive(sweeper, job, sweeper.dispatches)
        case "starting" | "training":
            follow(sweeper.tracker, job)
        case "registering" if job.looks > MAX_LOOKS:
            _fail(sweeper, job, "registration_failed", "the trained model could not be registered; train it again")
        case "registering":
            _redrive(sweeper, job, sweeper.tracker.admissions)


def _redrive(sweeper: Sweeper, job: Job, queue: JobQueue) -> None:
    queue.send(job.tenant, job.job_id)
    sweeper.jobs.look_again(job, time.time() + LOOK_AGAIN_SECONDS)


def _fail(sweeper: Sweeper, job: Job, code: str, message: str) -> None:
    sweeper.jobs.advance(job, "failed", time.time(), None, failure={"code": code, "message": message})
