"""The stores and functions of modelmill on moto, in this process, with a SageMaker that does as it is told."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import validate_parameters
from moto import mock_aws

from modelmill.aws import clients
from modelmill.aws.base_models import StoredBaseModels, TableBaseModels
from modelmill.aws.boto_dynamodb import BotoDynamoDB
from modelmill.aws.bundles import StoredBundles
from modelmill.aws.dataset_files import StoredDatasets
from modelmill.aws.datasets import TableDatasets
from modelmill.aws.due import TableDueRows
from modelmill.aws.dynamodb import Table
from modelmill.aws.jobs import TableJobs
from modelmill.aws.layout import output_prefix
from modelmill.aws.model_uploads import TableModelUploads
from modelmill.aws.queues import JobMessages, UploadMessages, parse_job_message
from modelmill.aws.registry import TableRegistry
from modelmill.aws.s3 import Bucket
from modelmill.aws.tenancy import TableKeys, TableUsage
from modelmill.aws.training import CloudWatchLogs, SageMakerStates, SageMakerTrainer, TrainingSetup
from modelmill.aws.training_output import TrainingOutput
from modelmill.datasets.records import Dataset, DatasetFacts
from modelmill.datasets.schema import Column, Schema, TopValue
from modelmill.jobs.compute import Offer
from modelmill.jobs.dispatch import dispatch, training_job_name
from modelmill.jobs.records import Job
from modelmill.jobs.register import Registrar, register
from modelmill.jobs.sweep import Sweeper, sweep
from modelmill.jobs.track import Tracker, follow
from modelmill.models.admission import admit_bundle
from modelmill.models.arrival import Reception
from modelmill.tenancy.keys import create_key
from modelmill.tenancy.quotas import Limits
from modelmill.web.application import control_plane
from modelmill.web.control import Services

STACK = "modelmill"
TENANT = "default"
OFFER = Offer(("ml.m5.xlarge", "ml.m5.4xlarge", "ml.g4dn.xlarge"), 4, 3600)
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}

_CREATE = ServiceModel(Loader().load_service_model("sagemaker", "service-2")).operation_model("CreateTrainingJob")


class FakeSageMaker:
    """The calls that modelmill makes, checked against botocore's model; jobs change only when told."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.errors: list[Exception] = []

    def create_training_job(self, **request: Any) -> dict[str, Any]:
        validate_parameters(request, _CREATE.input_shape)
        if self.errors:
            raise self.errors.pop(0)
        if request["TrainingJobName"] in self.jobs:
            raise aws_error("ResourceInUse")
        self.jobs[request["TrainingJobName"]] = {
            "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Starting",
            "request": request,
        }
        return {"TrainingJobArn": "arn"}

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        if TrainingJobName not in self.jobs:
            raise aws_error("ValidationException")
        return self.jobs[TrainingJobName]

    def stop_training_job(self, TrainingJobName: str) -> None:
        if TrainingJobName not in self.jobs:
            raise aws_error("ValidationException")
        self.tell(TrainingJobName, "Stopping", "Stopping")

    def tell(self, name: str, status: str, secondary: str, reason: str | None = None) -> None:
        """Let a job be in a state."""
        self.jobs[name] |= {"TrainingJobStatus": status, "SecondaryStatus": secondary}
        if reason is not None:
            self.jobs[name]["FailureReason"] = reason


def aws_error(code: str, status: int = 400) -> ClientError:
    """What boto3 raises."""
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "operation")


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Cloud:
    """Every store, wired as the functions wire them."""

    table: Table
    uploads: Bucket
    store: Bucket
    queues: dict[str, str]
    sagemaker: FakeSageMaker = field(default_factory=FakeSageMaker)
    limits: Limits = field(
        default_factory=lambda: Limits(
            concurrent_jobs=2,
            datasets=5,
            upload_bytes=10_000_000,
            base_models=3,
            base_model_bytes=5_000_000,
            model_uploads=3,
            model_bytes=1_000_000,
            monthly_predictions=0,
        )
    )

    def __post_init__(self) -> None:
        sqs = boto3.client("sqs")
        self.keys, self.datasets, self.jobs = TableKeys(self.table), TableDatasets(self.table), TableJobs(self.table)
        self.base_models, self.base_model_files = TableBaseModels(self.table), StoredBaseModels(self.store)
        self.model_uploads = TableModelUploads(self.table)
        self.registry, self.bundles = TableRegistry(self.table), StoredBundles(self.store)
        self.dataset_files = StoredDatasets(self.store)
        self.states = SageMakerStates(self.sagemaker, STACK)
        setup = TrainingSetup(
            STACK, "arn:aws:iam::123456789012:role/training", "cpu-image", "gpu-image", "training/abc/"
        )
        self.trainer = SageMakerTrainer(self.sagemaker, self.store, setup)
        self.tracker = Tracker(self.jobs, self.states, JobMessages(sqs, self.queues["admit"]))
        self.sweeper = Sweeper(
            rows=TableDueRows(self.table),
            datasets=self.datasets,
            base_models=self.base_models,
            uploads=self.uploads,
            arrivals=UploadMessages(sqs, self.queues["ingest"], self.uploads.name),
            model_uploads=self.model_uploads,
            model_arrivals=UploadMessages(sqs, self.queues["admit"], self.uploads.name),
            jobs=self.jobs,
            dispatches=JobMessages(sqs, self.queues["dispatch"]),
            tracker=self.tracker,
        )
        self.application = control_plane(
            Services(
                keys=self.keys,
                usage=TableUsage(self.table),
                limits=self.limits,
                offer=OFFER,
                datasets=self.datasets,
                forms=self.uploads,
                dataset_files=self.dataset_files,
                base_models=self.base_models,
                base_model_files=self.base_model_files,
                jobs=self.jobs,
                dispatches=JobMessages(sqs, self.queues["dispatch"]),
                stopper=self.states,
                logs=CloudWatchLogs(boto3.client("logs"), STACK),
                registry=self.registry,
                model_uploads=self.model_uploads,
                bundles=self.bundles,
            )
        )
        self.key, self.secret = create_key(self.keys, TENANT, "test", ("admin",))

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Answer:
        """One request to the control plane; `key` None sends none."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["x-api-key"] = key or self.secret
        path, _, query = path.partition("?")
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": sent,
            "requestContext": {"requestId": "request-1", "stage": "$default", "http": {"method": method, "path": path}},
            "isBase64Encoded": False,
        }
        if query:
            event["queryStringParameters"] = dict(part.split("=", 1) for part in query.split("&"))
        if body is not None:
            event["body"] = body if isinstance(body, str) else json.dumps(body)
            sent.setdefault("content-type", "application/json")
        result = self.application.resolve(event, None)
        answer = result.get("body") or "null"
        names = {name.lower(): value for name, value in result["headers"].items()}
        parsed = json.loads(answer) if "json" in names.get("content-type", "json") else answer
        return Answer(result["statusCode"], parsed, names)

    def register_bundle(self, folder: Path) -> None:
        """Let the bundle in `folder` become a version of `m`, as after a training job, and serve it as live."""
        job = self.started_job()
        self.finish(job, folder)
        follow(self.tracker, self.job(job.job_id))
        register(self.registrar(admit_bundle), TENANT, job.job_id)

    def messages(self, queue: str) -> list[str]:
        """Take what lies in a queue."""
        sqs = boto3.client("sqs")
        found = sqs.receive_message(QueueUrl=self.queues[queue], MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=self.queues[queue], ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in found]

    def ready_dataset(self, schema: Schema | None = None) -> str:
        """A validated dataset."""
        body = {"name": "data", "format": "csv", "target": "y"}
        dataset_id: str = self.call("POST", "/v1/datasets", body).body["dataset_id"]
        schema = schema or small_schema()
        prefix = f"datasets/{TENANT}/{dataset_id}/{'0' * 64}/"
        self.store.write(prefix + "schema.json", json.dumps(schema.to_dict()).encode())
        self.store.write(prefix + "data.parquet", b"parquet")
        dataset = self.datasets.begin_validation(TENANT, dataset_id, 0)
        assert dataset
        facts = DatasetFacts("0" * 64, 7, schema.rows, len(schema.columns), schema.duplicate_rows)
        assert self.datasets.accept(dataset, facts, 0)
        return dataset_id

    def queued_job(self, **body: Any) -> Job:
        """A job that was asked for over HTTP."""
        answer = self.call("POST", "/v1/training-jobs", {"dataset_id": self.ready_dataset(), "model": "m", **body})
        assert answer.status == 202, answer.body
        return self.job(answer.body["job_id"])

    def started_job(self, **body: Any) -> Job:
        """A job that SageMaker runs."""
        self.publish_training_code()
        job = self.queued_job(**body)
        dispatch(self.jobs, self.trainer, TENANT, job.job_id)
        return self.job(job.job_id)

    def publish_training_code(self) -> None:
        """Let dispatch find the code."""
        self.store.write("training/abc/train.sh", b"exit")

    def job(self, job_id: str) -> Job:
        """The record."""
        job = self.jobs.get(TENANT, job_id)
        assert job
        return job

    def dataset(self, dataset_id: str) -> Dataset:
        """The record."""
        dataset = self.datasets.get(TENANT, dataset_id)
        assert dataset
        return dataset

    def finish(self, job: Job, folder: Path) -> None:
        """Let SageMaker complete a job and leave the files of a folder."""
        name = training_job_name(STACK, job)
        for path in folder.iterdir():
            self.store.upload(path, f"{output_prefix(job.tenant, job.job_id)}/{name}/output/model/{path.name}")
        self.sagemaker.tell(name, "Completed", "Completed")

    def registrar(self, admit: Any) -> Registrar:
        """What `admit` works with."""
        return Registrar(self.jobs, self.registry, TrainingOutput(self.store, STACK), admit)

    def reception(self, admit: Any) -> Reception:
        """What `admit` takes uploaded models in with."""
        return Reception(self.model_uploads, self.registry, self.uploads, TrainingOutput(self.store, STACK), admit)

    def make_due(self) -> None:
        """Let every row that waits for a look be due now."""
        client = boto3.client("dynamodb")
        for item in client.scan(TableName="table")["Items"]:
            if "due_at" in item:
                key = {"pk": item["pk"], "sk": item["sk"]}
                values = {":then": {"N": "1"}}
                client.update_item(
                    TableName="table", Key=key, UpdateExpression="SET due_at = :then", ExpressionAttributeValues=values
                )

    def sweep_all(self) -> None:
        """A sweep long after everything became due, and the dispatches that it asks for."""
        self.make_due()
        sweep(self.sweeper)
        for message in self.messages("dispatch"):
            dispatch(self.jobs, self.trainer, *parse_job_message(message))


def small_schema(rows: int = 100) -> Schema:
    """A number and a target of two classes."""
    half = rows // 2
    classes = [TopValue("a", half), TopValue("b", rows - half)]
    return Schema("tabular", rows, 0, [Column("x", "number", 0, rows), Column("y", "category", 0, 2, top=classes)])


@contextmanager
def cloud() -> Iterator[Cloud]:
    """A fresh cloud on moto."""
    before = dict(os.environ)
    os.environ.update(CREDENTIALS)
    _forget_clients()
    try:
        with mock_aws():
            _create_table()
            s3, sqs = clients.client("s3"), boto3.client("sqs")
            for bucket in ("uploads", "store"):
                s3.create_bucket(Bucket=bucket)
            queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("ingest", "dispatch", "admit")}
            table = Table(BotoDynamoDB(boto3.client("dynamodb")), "table")
            yield Cloud(table, Bucket(s3, "uploads"), Bucket(s3, "store"), queues)
    finally:
        _forget_clients()
        os.environ.clear()
        os.environ.update(before)


def _create_table() -> None:
    names = {"pk": "S", "sk": "S", "due_shard": "S", "due_at": "N"}
    boto3.client("dynamodb").create_table(
        TableName="table",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in names.items()],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "due_shard", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )


def _forget_clients() -> None:
    clients.client.cache_clear()
    clients.prompt_client.cache_clear()
