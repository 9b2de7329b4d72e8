"""Follow training jobs and sweep what is past due. Triggered by the track queue."""

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelmill.aws.base_models import TableBaseModels
from modelmill.aws.boto_dynamodb import BotoDynamoDB
from modelmill.aws.clients import client
from modelmill.aws.datasets import TableDatasets
from modelmill.aws.due import TableDueRows
from modelmill.aws.dynamodb import Table
from modelmill.aws.jobs import TableJobs
from modelmill.aws.model_uploads import TableModelUploads
from modelmill.aws.queues import JobMessages, UploadMessages
from modelmill.aws.s3 import Bucket
from modelmill.aws.training import SageMakerStates
from modelmill.jobs.sweep import Sweeper, sweep
from modelmill.jobs.track import Tracker, training_job_changed
from modelmill.settings import TrackSettings, read_settings

logger = Logger()
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def settings() -> TrackSettings:
    """Read on the first message."""
    return read_settings(TrackSettings, os.environ)


@cache
def sweeper() -> Sweeper:
    """Made on the first message."""
    table = Table(BotoDynamoDB(client("dynamodb")), settings().table)
    jobs, sqs = TableJobs(table), client("sqs")
    states = SageMakerStates(client("sagemaker"), settings().stack)
    uploads = settings().uploads_bucket
    return Sweeper(
        rows=TableDueRows(table),
        datasets=TableDatasets(table),
        base_models=TableBaseModels(table),
        uploads=Bucket(client("s3"), uploads),
        arrivals=UploadMessages(sqs, settings().ingest_queue_url, uploads),
        model_uploads=TableModelUploads(table),
        model_arrivals=UploadMessages(sqs, settings().admit_queue_url, uploads),
        jobs=jobs,
        dispatches=JobMessages(sqs, settings().dispatch_queue_url),
        tracker=Tracker(jobs, states, JobMessages(sqs, settings().admit_queue_url)),
    )


def look(record: SQSRecord) -> None:
    """One message: the clock's, or SageMaker's word that a job has changed."""
    message = record.json_body
    if message.get("sweep"):
        logger.info("swept", extra={"records": sweep(sweeper())})
        return
    name = message["detail"]["TrainingJobName"]
    logger.info("training job changed", extra={"training_job": name})
    training_job_changed(sweeper().tracker, settings().stack, name)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Entry point."""
    return process_partial_response(event, look, processor, context)
