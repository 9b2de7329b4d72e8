"""Where DynamoDB and a bucket are, as the environment says.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html; an empty address means none.
"""

from collections.abc import Mapping
from typing import NamedTuple

from modelmill.aws.http_connection import Origin

DNS_SUFFIXES = {"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu"}


class BucketEndpoint(NamedTuple):
    """A bucket; `prefix` is what comes before an object's key in a path."""

    origin: Origin
    prefix: str


def dynamodb_endpoint(environment: Mapping[str, str]) -> Origin:
    """DynamoDB of the region."""
    return _given(environment, "DYNAMODB") or _regional(environment, "dynamodb")


def bucket_endpoint(environment: Mapping[str, str], bucket: str) -> BucketEndpoint:
    """The bucket; its name is in the path where the host is not Amazon's, or its certificate would not fit."""
    given = _given(environment, "S3")
    if given or "." in bucket:
        return BucketEndpoint(given or _regional(environment, "s3"), f"/{bucket}/")
    return BucketEndpoint(_regional(environment, f"{bucket}.s3"), "/")


def _given(environment: Mapping[str, str], service: str) -> Origin | None:
    url = environment.get(f"AWS_ENDPOINT_URL_{service}") or environment.get("AWS_ENDPOINT_URL")
    return Origin.parse(url) if url else None


def _regional(environment: Mapping[str, str], host: str) -> Origin:
    region = environment["AWS_REGION"]
    suffix = next((suffix for prefix, suffix in DNS_SUFFIXES.items() if region.startswith(prefix)), "amazonaws.com")
    return Origin(True, f"{host}.{region}.{suffix}", 443)
