"""SageMaker training jobs and their logs."""

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from modelmill.aws.faults import is_busy, translated
from modelmill.aws.layout import base_model_prefix, checkpoint_prefix, dataset_prefix, output_prefix, spec_prefix
from modelmill.aws.s3 import Bucket
from modelmill.errors import Unavailable
from modelmill.jobs.compute import Compute
from modelmill.jobs.dispatch import AlreadyStarted, NoCapacity, Refused, training_job_name
from modelmill.jobs.progress import LogLine, LogPage
from modelmill.jobs.records import Job
from modelmill.jobs.track import TrainingState

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
START_SCRIPT = "train.sh"
CHECKPOINTS = "/opt/ml/checkpoints"
VOLUME_GB = 30
TAIL_EVENTS = 5000
FIRST_MACHINE = "algo-1"
CAPACITY = frozenset({"ResourceLimitExceeded", "CapacityError", "InsufficientCapacityException"})


@dataclass(frozen=True, slots=True)
class TrainingSetup:
    """How this stack trains: an image for each device; `code` is a prefix of the store that ends in '/'."""

    stack: str
    role_arn: str
    cpu_image: str
    gpu_image: str
    code: str


class SageMakerTrainer:
    """Implements `jobs.dispatch.Trainer`."""

    def __init__(self, client: Any, store: Bucket, setup: TrainingSetup) -> None:
        self._client = client
        self._store = store
        self._setup = setup

    def code_is_published(self) -> bool:
        """See `Trainer`."""
        return self._store.size(self._setup.code + START_SCRIPT) is not None

    def start(self, job: Job) -> None:
        """See `Trainer`."""
        self._store.write(spec_prefix(job.tenant, job.job_id) + "spec.json", json.dumps(job.spec().to_dict()).encode())
        try:
            with translated("SageMaker"):
                self._client.create_training_job(**self._request(job))
        except Unavailable as error:
            raise NoCapacity("waiting_for_platform") from error
        except ClientError as error:
            raise _explained(error) from error

    def _request(self, job: Job) -> dict[str, Any]:
        setup, compute = self._setup, Compute(**job.compute)
        dataset = dataset_prefix(job.tenant, job.dataset_id, job.dataset_sha256)
        channels = {"code": setup.code, "training": dataset, "spec": spec_prefix(job.tenant, job.job_id)}
        if job.base_model and job.base_model_sha256:
            channels["base_model"] = base_model_prefix(job.tenant, job.base_model, job.base_model_sha256)
        return {
            "TrainingJobName": training_job_name(setup.stack, job),
            "RoleArn": setup.role_arn,
            "AlgorithmSpecification": {
                "TrainingImage": setup.gpu_image if compute.gpu else setup.cpu_image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["bash", f"/opt/ml/input/data/code/{START_SCRIPT}"],
            },
            "HyperParameters": {"job_id": job.job_id},
            "InputDataConfig": [self._channel(name, prefix) for name, prefix in channels.items()],
            "OutputDataConfig": {
                "S3OutputPath": self._uri(output_prefix(job.tenant, job.job_id)),
                "CompressionType": "NONE",
            },
            "ResourceConfig": {
                "InstanceType": compute.instance_type,
                "InstanceCount": compute.instance_count,
                "VolumeSizeInGB": VOLUME_GB,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": compute.max_runtime_s}
            | ({"MaxWaitTimeInSeconds": compute.max_wait_s} if compute.spot else {}),
            "EnableManagedSpotTraining": compute.spot,
            "CheckpointConfig": {
                "S3Uri": self._uri(checkpoint_prefix(job.tenant, job.job_id)),
                "LocalPath": CHECKPOINTS,
            },
            "EnableNetworkIsolation": True,
            "Tags": [{"Key": "modelmill:stack", "Value": setup.stack}],
        }

    def _channel(self, name: str, prefix: str) -> dict[str, Any]:
        source = {"S3DataType": "S3Prefix", "S3Uri": self._uri(prefix), "S3DataDistributionType": "FullyReplicated"}
        return {"ChannelName": name, "DataSource": {"S3DataSource": source}}

    def _uri(self, key: str) -> str:
        return f"s3://{self._store.name}/{key}"


class SageMakerStates:
    """Implements `jobs.track.TrainingStates`."""

    def __init__(self, client: Any, stack: str) -> None:
        self._client = client
        self._stack = stack

    def state(self, job: Job) -> TrainingState | None:
        """See `TrainingStates`."""
        try:
            with translated("SageMaker"):
                answer = self._client.describe_training_job(TrainingJobName=training_job_name(self._stack, job))
        except ClientError as error:
            if _names_nothing(error):
                return None
            raise
        return TrainingState(answer["TrainingJobStatus"], answer["SecondaryStatus"], answer.get("FailureReason"))

    def stop(self, job: Job) -> None:
        """See `Stopper`."""
        try:
            with translated("SageMaker"):
                self._client.stop_training_job(TrainingJobName=training_job_name(self._stack, job))
        except ClientError as error:
            if not _names_nothing(error):
                raise


class CloudWatchLogs:
    """Implements `jobs.progress.JobLogs`. Cursors are the number of a stream and CloudWatch's own forward token."""

    def __init__(self, client: Any, stack: str) -> None:
        self._client = client
        self._stack = stack

    def page(self, job: Job, cursor: str | None, limit: int) -> LogPage:
        """See `JobLogs`."""
        streams = self._streams(job)
        if not streams:
            return LogPage([], None)
        number, token = _parse(cursor)
        request: dict[str, Any] = {"startFromHead": True, "limit": limit}
        answer = self._events(streams[number], request | ({"nextToken": token} if token else {}))
        # The same token again: this stream has no more, and where there is another one, it will have no more.
        if answer["nextForwardToken"] == token and number + 1 < len(streams):
            number += 1
            answer = self._events(streams[number], request)
        return LogPage(_lines(answer), f"{number}:{answer['nextForwardToken']}")

    def tail(self, job: Job) -> list[LogLine]:
        """See `JobLogs`."""
        streams = self._streams(job)
        return _lines(self._events(streams[-1], {"startFromHead": False, "limit": TAIL_EVENTS})) if streams else []

    def _events(self, stream: str, request: dict[str, Any]) -> Any:
        with translated("CloudWatch Logs"):
            return self._client.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, **request)

    def _streams(self, job: Job) -> list[str]:
        """Of the first machine, one for each time that it was started: after an interruption another one begins."""
        try:
            with translated("CloudWatch Logs"):
                answer = self._client.describe_log_streams(
                    logGroupName=LOG_GROUP,
                    logStreamNamePrefix=f"{training_job_name(self._stack, job)}/{FIRST_MACHINE}-",
                )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return []
            raise
        return sorted(stream["logStreamName"] for stream in answer["logStreams"])


def _explained(error: ClientError) -> Exception:
    code = error.response["Error"]["Code"]
    if code == "ResourceInUse":
        return AlreadyStarted()
    if code in CAPACITY:
        return NoCapacity("waiting_for_capacity")
    if is_busy(error):
        return NoCapacity("waiting_for_platform")
    return Refused(code)


def _names_nothing(error: ClientError) -> bool:
    """SageMaker answers `ValidationException` for an unknown job, and `ResourceNotFound` in other calls."""
    return error.response["Error"]["Code"] in ("ResourceNotFound", "ValidationException")


def _parse(cursor: str | None) -> tuple[int, str]:
    number, _, token = (cursor or "").partition(":")
    return (int(number), token) if number.isdecimal() else (0, cursor or "")


def _lines(answer: Any) -> list[LogLine]:
    return [LogLine(event["timestamp"], event["message"]) for event in answer["events"]]
