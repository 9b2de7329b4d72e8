"""Start queued training jobs. Triggered by the dispatch queue."""

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
from modelmill.aws.s3 import Bucket
from modelmill.aws.training import SageMakerTrainer, TrainingSetup
from modelmill.jobs.dispatch import dispatch
from modelmill.settings import DispatchSettings, read_settings

logger = Logger()
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def stores() -> tuple[TableJobs, SageMakerTrainer]:
    """Made on the first message."""
    settings = read_settings(DispatchSettings, os.environ)
    setup = TrainingSetup(
        stack=settings.stack,
        role_arn=settings.training_role_arn,
        cpu_image=settings.training_image_cpu,
        gpu_image=settings.training_image_gpu,
        code=settings.training_code,
    )
    store = Bucket(client("s3"), settings.store_bucket)
    jobs = TableJobs(Table(BotoDynamoDB(client("dynamodb")), settings.table))
    return jobs, SageMakerTrainer(client("sagemaker"), store, setup)


def start_job(record: SQSRecord) -> None:
    """One message."""
    tenant, job_id = parse_job_message(record.body)
    logger.info("dispatching", extra={"tenant": tenant, "job_id": job_id})
    dispatch(*stores(), tenant, job_id)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Entry point."""
    return process_partial_response(event, start_job, processor, context)
