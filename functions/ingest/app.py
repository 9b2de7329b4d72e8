"""Validate what was uploaded. Triggered by the ingest queue, which S3 events arrive in."""

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelmill.aws.base_models import StoredBaseModels, TableBaseModels
from modelmill.aws.boto_dynamodb import BotoDynamoDB
from modelmill.aws.clients import client
from modelmill.aws.dataset_files import StoredDatasets
from modelmill.aws.datasets import TableDatasets
from modelmill.aws.dynamodb import Table
from modelmill.aws.s3 import Bucket
from modelmill.base_models.arrival import validate_base_model
from modelmill.datasets.arrival import validate_upload
from modelmill.datasets.validation import read_upload
from modelmill.settings import IngestSettings, read_settings

logger = Logger()
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def basis() -> tuple[Table, Bucket, Bucket]:
    """The table, the uploads and the store, made on the first message."""
    settings = read_settings(IngestSettings, os.environ)
    table = Table(BotoDynamoDB(client("dynamodb")), settings.table)
    return table, Bucket(client("s3"), settings.uploads_bucket), Bucket(client("s3"), settings.store_bucket)


def validate(record: SQSRecord) -> None:
    """One message."""
    key = record.json_body["detail"]["object"]["key"]
    logger.info("upload arrived", extra={"key": key})
    table, uploads, store = basis()
    if key.startswith("base-models/"):
        validate_base_model(TableBaseModels(table), uploads, StoredBaseModels(store), key)
    else:
        validate_upload(TableDatasets(table), uploads, StoredDatasets(store), read_upload, key)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Entry point."""
    return process_partial_response(event, validate, processor, context)
