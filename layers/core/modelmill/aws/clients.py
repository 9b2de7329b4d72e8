"""boto3 clients: few attempts, short time-outs, an endpoint of one's own where one is set."""

import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config


@cache
def client(service: str) -> Any:
    """A client for work in the background, made once per process."""
    return _client(service, Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=2, read_timeout=20))


@cache
def prompt_client(service: str) -> Any:
    """A client for work that somebody waits for: it gives up well within the gateway's 30 seconds."""
    return _client(service, Config(retries={"mode": "standard", "max_attempts": 2}, connect_timeout=1, read_timeout=5))


def _client(service: str, config: Config) -> Any:
    if not os.environ.get("AWS_ENDPOINT_URL", "set"):
        del os.environ["AWS_ENDPOINT_URL"]
    if service == "s3":
        config = config.merge(Config(signature_version="s3v4", s3=_addressing()))
    return boto3.client(service, config=config)  # type: ignore[call-overload]


def _addressing() -> Any:
    """Bucket names as paths where the endpoint is not Amazon's, since its host names would not resolve."""
    return {"addressing_style": "path" if os.environ.get("AWS_ENDPOINT_URL") else "auto"}
