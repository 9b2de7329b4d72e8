"""Verify models and register them: bundles of finished jobs, and what was uploaded. Triggered by the admit queue."""

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelmill.aws.boto_dynamodb import BotoDynamoDB
from modelmill.aws.clients import client
from modelmill.aws.dynamodb import Table
from modelmill.aws.jobs import TableJobs
from modelmill.aws.model_uploads import TableModelUploads
from modelmill.aws.queues import parse_job_message, parse_upload_message
from modelmill.aws.registry import TableRegistry
from modelmill.aws.s3 import Bucket
from modelmill.aws.training_output import TrainingOutput
from modelmill.jobs.register import Registrar, register
from modelmill.models.admission import admit_bundle, admit_upload
from modelmill.models.arrival import Reception, take_in
from modelmill.settings import AdmitSettings, read_settings

logger = Logger()
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def settings() -> AdmitSettings:
    """Read on the first message."""
    return read_settings(AdmitSettings, os.environ)


@cache
def registrar() -> Registrar:
    """Made on the first message of a job."""
    table = Table(BotoDynamoDB(client("dynamodb")), settings().table)
    return Registrar(TableJobs(table), TableRegistry(table), bundles(), admit_bundle)


@cache
def reception() -> Reception:
    """Made on the first upload."""
    table = Table(BotoDynamoDB(client("dynamodb")), settings().table)
    uploads = Bucket(client("s3"), settings().uploads_bucket)
    return Reception(TableModelUploads(table), TableRegistry(table), uploads, bundles(), admit_upload)


def bundles() -> TrainingOutput:
    """Where bundles come from and go to."""
    return TrainingOutput(Bucket(client("s3"), settings().store_bucket), settings().stack)


def admit(record: SQSRecord) -> None:
    """One message: S3's word that a model was uploaded, or a job whose model is to be registered."""
    key = parse_upload_message(record.body, settings().uploads_bucket)
    if key is not None:
        logger.info("model arrived", extra={"key": key})
        take_in(reception(), key)
        return
    tenant, job_id = parse_job_message(record.body)
    logger.info("admitting", extra={"tenant": tenant, "job_id": job_id})
    register(registrar(), tenant, job_id)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Entry point."""
    return process_partial_response(event, admit, processor, context)
