"""boto3 clients: few attempts, short time-outs, an endpoint of one's own where one is set."""

import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 3},
    connect_timeout=2,
    read_timeout=20,
)


@cache
def client(service: str) -> Any:
    """The client of a service, made once per process; S3 signs with SigV4 in every region."""
    if not os.environ.get("AWS_ENDPOINT_URL", "set"):
        del os.environ["AWS_ENDPOINT_URL"]
    config = _CONFIG.merge(Config(signature_version="s3v4", s3=_addressing())) if service == "s3" else _CONFIG
    return boto3.client(service, config=config)  # type: ignore[call-overload]


def _addressing() -> Any:
    """Bucket names as paths where the endpoint is not Amazon's, since its host names would not resolve."""
    return {"addressing_style": "path" if os.environ.get("AWS_ENDPOINT_URL") else "auto"}
