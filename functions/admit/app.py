"""Verify the bundles of finished jobs and register them. Triggered by the admit queue."""

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
from modelmill.aws.queues import parse_job_message
from modelmill.aws.registry import TableRegistry
from modelmill.aws.s3 import Bucket
from modelmill.aws.training_output import TrainingOutput
from modelmill.jobs.register import Registrar, register
from modelmill.models.admission import admit_bundle
from modelmill.settings import AdmitSettings

logger = Logger()
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def registrar() -> Registrar:
    """Made on the first message."""
    settings = AdmitSettings.read(os.environ)
    table = Table(BotoDynamoDB(client("dynamodb")), settings.table)
    output = TrainingOutput(Bucket(client("s3"), settings.store_bucket), settings.stack)
    return Registrar(TableJobs(table), TableRegistry(table), output, admit_bundle)


def admit(record: SQSRecord) -> None:
    """One message."""
    tenant, job_id = parse_job_message(record.body)
    logger.info("admitting", extra={"tenant": tenant, "job_id": job_id})
    register(registrar(), tenant, job_id)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Entry point."""
    return process_partial_response(event, admit, processor, context)
