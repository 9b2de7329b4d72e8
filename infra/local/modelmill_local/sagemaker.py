"""A SageMaker that trains on this machine: requests checked, states and events as on AWS."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from moto.events.models import events_backends
from moto.logs.models import logs_backends

from modelmill_local.answers import ServiceError
from modelmill_local.faults import Faults
from modelmill_local.intrinsics import ACCOUNT, REGION
from modelmill_local.journal import Journal
from modelmill_local.sagemaker_requests import check
from modelmill_local.training_job import TERMINAL, Record, Surroundings, TrainingJob

_LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_TIMES = ("CreationTime", "LastModifiedTime", "TrainingStartTime", "TrainingEndTime")


class SageMaker:
    """The operations that the platform and the `sagemaker` SDK's trainer use."""

    def __init__(self, around: Surroundings, journal: Journal, faults: Faults) -> None:
        self._around = replace(around, changed=self._changed, printed=self._printed)
        self._journal = journal
        self._faults = faults
        self._jobs: dict[str, TrainingJob] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "AddTags": self._add_tags,
            "CreateTrainingJob": self._create,
            "DescribeTrainingJob": self._describe,
            "ListTags": self._list_tags,
            "ListTrainingJobs": self._list,
            "StopTrainingJob": self._stop,
        }

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request. Raises: ServiceError."""
        if operation not in self._operations:
            raise ServiceError("UnknownOperationException", f"the local SageMaker has no {operation}")
        check(operation, request)
        return self._operations[operation](request)

    def restore(self) -> None:
        """Take up the jobs of an earlier run: what it left unfinished has failed."""
        for record in self._journal.jobs():
            job = TrainingJob(record, self._around)
            self._jobs[job.name] = job
            if record["TrainingJobStatus"] not in TERMINAL:
                job.fail("InternalServerError: We encountered an internal error. Please try again.")
        for stream, lines in self._journal.log_streams():
            self._put_log_lines(stream, lines)

    def close(self) -> None:
        """End the jobs that are running; the next start reports them as failed."""
        for job in list(self._jobs.values()):
            job.abandon()

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["TrainingJobName"]
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name}"
        now = time.time()
        tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
        record: Record = {key: value for key, value in request.items() if key != "Tags"} | {
            "TrainingJobArn": arn,
            "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Starting",
            "SecondaryStatusTransitions": [],
            "CreationTime": now,
            "LastModifiedTime": now,
            "ModelArtifacts": {"S3ModelArtifacts": ""},
        }
        with self._lock:
            if name in self._jobs:
                rule = "Training job names must be unique within an AWS account and region"
                text = f"{rule}, and a training job with this name already exists ({arn})"
                raise ServiceError("ResourceInUse", text)
            job = self._jobs[name] = TrainingJob(record, self._around)
            self._tags[arn] = tags
        job.start()
        return {"TrainingJobArn": arn}

    def _describe(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._job(request).describe()

    def _stop(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self._job(request)
        if not job.stop():
            status = job.describe()["TrainingJobStatus"]
            text = f"The request was rejected because the training job is in status {status}."
            raise ServiceError("ValidationException", text)
        return {}

    def _job(self, request: dict[str, Any]) -> TrainingJob:
        job = self._jobs.get(request["TrainingJobName"])
        if job is None:
            raise ServiceError("ValidationException", "Requested resource not found.")
        return job

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        records = [job.describe() for job in list(self._jobs.values())]
        found = [record for record in records if _matches(record, request)]
        found.sort(key=lambda record: record["CreationTime"], reverse=request.get("SortOrder") != "Ascending")
        start = int(request.get("NextToken", "0"))
        end = start + request.get("MaxResults", 10)
        keys = ("TrainingJobName", "TrainingJobArn", "TrainingJobStatus", "SecondaryStatus", *_TIMES[:2], _TIMES[3])
        page = [{key: record[key] for key in keys if key in record} for record in found[start:end]]
        return {"TrainingJobSummaries": page} | ({"NextToken": str(end)} if end < len(found) else {})

    def _add_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        tags = self._tags.setdefault(request["ResourceArn"], {})
        tags |= {tag["Key"]: tag["Value"] for tag in request["Tags"]}
        return self._list_tags(request)

    def _list_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        tags = self._tags.get(request["ResourceArn"], {})
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _changed(self, record: Record) -> None:
        self._journal.note_job(record["TrainingJobName"], record)
        if not self._faults.loses("sagemaker"):
            events_backends[ACCOUNT][REGION].put_events([self._event(record)])

    def _event(self, record: Record) -> dict[str, Any]:
        detail = record | {key: int(record[key] * 1000) for key in _TIMES if key in record}
        detail["SecondaryStatusTransitions"] = [
            {key: int(value * 1000) if key.endswith("Time") else value for key, value in transition.items()}
            for transition in record["SecondaryStatusTransitions"]
        ]
        detail["Tags"] = self._tags.get(record["TrainingJobArn"], {})
        return {
            "Source": "aws.sagemaker",
            "DetailType": "SageMaker Training Job State Change",
            "Resources": [record["TrainingJobArn"]],
            "Detail": json.dumps(detail),
        }

    def _printed(self, stream: str, lines: list[tuple[int, str]]) -> None:
        self._put_log_lines(stream, lines)
        self._journal.note_log_lines(stream, lines)

    def _put_log_lines(self, stream: str, lines: list[tuple[int, str]]) -> None:
        backend = logs_backends[ACCOUNT][REGION]
        with self._lock:
            if _LOG_GROUP not in backend.groups:
                backend.create_log_group(_LOG_GROUP, {})
            if stream not in backend.groups[_LOG_GROUP].streams:
                backend.create_log_stream(_LOG_GROUP, stream)
        events = [{"timestamp": stamp, "message": message} for stamp, message in lines]
        backend.put_log_events(_LOG_GROUP, stream, events)


def _matches(record: Record, request: dict[str, Any]) -> bool:
    return (
        request.get("NameContains", "") in record["TrainingJobName"]
        and request.get("StatusEquals", record["TrainingJobStatus"]) == record["TrainingJobStatus"]
    )
