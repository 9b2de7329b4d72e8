"""The control plane. Triggered by every HTTP request but predictions."""

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelmill.aws.base_models import StoredBaseModels, TableBaseModels
from modelmill.aws.boto_dynamodb import BotoDynamoDB
from modelmill.aws.bundles import StoredBundles
from modelmill.aws.clients import prompt_client
from modelmill.aws.dataset_files import StoredDatasets
from modelmill.aws.datasets import TableDatasets
from modelmill.aws.dynamodb import Table
from modelmill.aws.jobs import TableJobs
from modelmill.aws.model_uploads import TableModelUploads
from modelmill.aws.queues import JobMessages
from modelmill.aws.registry import TableRegistry
from modelmill.aws.s3 import Bucket
from modelmill.aws.tenancy import TableKeys, TableUsage
from modelmill.aws.training import CloudWatchLogs, SageMakerStates
from modelmill.jobs.compute import Offer
from modelmill.settings import ApiSettings, read_settings
from modelmill.tenancy.quotas import Limits
from modelmill.web.application import control_plane
from modelmill.web.control import ControlPlane, Services

logger = Logger()
metrics = Metrics()


@cache
def application() -> ControlPlane:
    """Made on the first request."""
    settings = read_settings(ApiSettings, os.environ)
    table = Table(BotoDynamoDB(prompt_client("dynamodb")), settings.table)
    store = Bucket(prompt_client("s3"), settings.store_bucket)
    services = Services(
        keys=TableKeys(table),
        usage=TableUsage(table),
        limits=Limits(
            concurrent_jobs=settings.max_concurrent_jobs,
            datasets=settings.max_datasets,
            upload_bytes=settings.max_upload_bytes,
            base_models=settings.max_base_models,
            base_model_bytes=settings.max_base_model_bytes,
            model_uploads=settings.max_model_uploads,
            model_bytes=settings.max_model_bytes,
            monthly_predictions=settings.max_monthly_predictions,
        ),
        offer=Offer(
            tuple(settings.instance_types.split(",")), settings.max_training_instances, settings.max_training_seconds
        ),
        datasets=TableDatasets(table),
        forms=Bucket(prompt_client("s3"), settings.uploads_bucket),
        dataset_files=StoredDatasets(store),
        base_models=TableBaseModels(table),
        base_model_files=StoredBaseModels(store),
        jobs=TableJobs(table),
        dispatches=JobMessages(prompt_client("sqs"), settings.dispatch_queue_url),
        stopper=SageMakerStates(prompt_client("sagemaker"), settings.stack),
        logs=CloudWatchLogs(prompt_client("logs"), settings.stack),
        registry=TableRegistry(table),
        model_uploads=TableModelUploads(table),
        bundles=StoredBundles(store),
    )
    return control_plane(services, settings.cors_origin)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point."""
    answer = application().resolve(event, context)
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    metrics.add_metric(f"Status{answer['statusCode'] // 100}xx", MetricUnit.Count, 1)
    return answer
