"""Answer predictions. Behind `POST /v1/models/{model}/predict` and `/v2`."""

import os
import time
from functools import cache, partial
from typing import Any

from modelmill.aws.bundle_reader import BundleReader
from modelmill.aws.dynamodb import Table
from modelmill.aws.registry import TableRegistry
from modelmill.aws.signed import SignedAws
from modelmill.aws.tenancy import TableKeys
from modelmill.serving.memory import bound_process_memory, bound_run_memory
from modelmill.serving.serve import ModelServer
from modelmill.serving.sessions import Sessions
from modelmill.settings import InferSettings, read_settings
from modelmill.tenancy.access import Access
from modelmill.web.events import read_event, write_result
from modelmill.web.inference import Inference

# The gateway gives up after 30 seconds.
ANSWER_SECONDS = 25.0
# Of the function's memory; the rest is for Python, requests and answers.
MEMORY_FOR_MODELS = 0.6
MEMORY_FOR_RUNS = 0.25
# All that it may take once its modules are loaded.
MEMORY_TO_GROW = 0.9


@cache
def aws() -> SignedAws:
    """Made on the first request."""
    return SignedAws(os.environ)


@cache
def inference() -> Inference:
    """Made on the first request."""
    settings = read_settings(InferSettings, os.environ)
    table = Table(aws().dynamodb(), settings.table)
    bundles = BundleReader(aws().objects(settings.store_bucket))
    memory = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) * 1024 * 1024
    bound_run_memory(int(memory * MEMORY_FOR_RUNS))
    bound_process_memory(int(memory * MEMORY_TO_GROW))
    server = ModelServer(TableRegistry(table), bundles, Sessions(int(memory * MEMORY_FOR_MODELS)))
    access = Access(TableKeys(table), settings.max_monthly_predictions)
    return Inference(access, server, partial(os.write, 1))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Entry point."""
    return write_result(inference()(read_event(event), time.monotonic() + ANSWER_SECONDS))
