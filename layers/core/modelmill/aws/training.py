"""SageMaker training jobs and their logs."""

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from modelmill.aws.faults import is_busy, translated
from modelmill.aws.layout import dataset_prefix, output_prefix, spec_prefix
from modelmill.aws.s3 import Bucket
from modelmill.errors import Unavailable
from modelmill.jobs.compute import Compute
from modelmill.jobs.dispatch import AlreadyStarted, NoCapacity, Refused, training_job_name
from modelmill.jobs.progress import LogLine, LogPage
from modelmill.jobs.records import Job
from modelmill.jobs.track import TrainingState

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
START_SCRIPT = "train.sh"
VOLUME_GB = 30
TAIL_EVENTS = 5000
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
                "InstanceCount": 1,
                "VolumeSizeInGB": VOLUME_GB,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": compute.max_runtime_s},
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
    """Implements `jobs.progress.JobLogs`. Cursors are CloudWatch's own forward tokens."""

    def __init__(self, client: Any, stack: str) -> None:
        self._client = client
        self._stack = stack

    def page(self, job: Job, cursor: str | None, limit: int) -> LogPage:
        """See `JobLogs`."""
        stream = self._stream(job)
        if stream is None:
            return LogPage([], None)
        request = {"startFromHead": True, "limit": limit} | ({"nextToken": cursor} if cursor else {})
        answer = self._events(stream, request)
        return LogPage(_lines(answer), answer["nextForwardToken"])

    def tail(self, job: Job) -> list[LogLine]:
        """See `JobLogs`."""
        stream = self._stream(job)
        return _lines(self._events(stream, {"startFromHead": False, "limit": TAIL_EVENTS})) if stream else []

    def _events(self, stream: str, request: dict[str, Any]) -> Any:
        with translated("CloudWatch Logs"):
            return self._client.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, **request)

    def _stream(self, job: Job) -> str | None:
        try:
            with translated("CloudWatch Logs"):
                answer = self._client.describe_log_streams(
                    logGroupName=LOG_GROUP, logStreamNamePrefix=training_job_name(self._stack, job) + "/"
                )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return next((stream["logStreamName"] for stream in answer["logStreams"]), None)


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


def _lines(answer: Any) -> list[LogLine]:
    return [LogLine(event["timestamp"], event["message"]) for event in answer["events"]]
