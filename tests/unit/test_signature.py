"""Signatures, against botocore's."""

import calendar
import time
from unittest.mock import patch

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.translated import translated
from modelmill.aws.endpoints import bucket_endpoint, dynamodb_endpoint
from modelmill.aws.http_connection import Origin
from modelmill.aws.signature import Credentials, Scope, Unsigned, encode_path, signed_headers

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
# Keys as S3 takes them: any text but control characters; `..` and empty parts stay as they are.
KEYS = st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12), min_size=1, max_size=4).map(
    "/".join
)
CREDENTIALS = st.builds(Credentials, TEXT, TEXT, st.none() | TEXT)
SCOPES = st.tuples(st.sampled_from(["us-east-1", "eu-central-1", "cn-north-1"]), st.sampled_from(["dynamodb", "s3"]))


def boto_signed(request: Unsigned, scope: Scope, credentials: Credentials) -> dict[str, str]:
    """The headers that botocore sends for the same request."""
    given = BotoCredentials(credentials.access_key, credentials.secret_key, credentials.token)
    url = f"https://{request.headers['host']}{request.path}"
    headers = {name: value for name, value in request.headers.items() if name != "host"}
    made = AWSRequest(request.method, url, headers=headers, data=request.body)
    (S3SigV4Auth if scope.service == "s3" else SigV4Auth)(given, scope.service, scope.region).add_auth(made)
    return {name.lower(): value for name, value in made.headers.items()}


@given(CREDENTIALS, SCOPES, KEYS, st.binary(max_size=200), TEXT)
def test_signatures_are_those_of_botocore(
    credentials: Credentials, scope: tuple[str, str], key: str, body: bytes, extra: str
) -> None:
    path = "/" + encode_path(key) if scope[1] == "s3" else "/"
    headers = {"host": f"x.{scope[0]}.amazonaws.com", "x-amz-target": extra, "content-type": "a/b"}
    request = Unsigned("POST", path, headers, body)

    expected = boto_signed(request, Scope(*scope), credentials)
    moment = calendar.timegm(time.strptime(expected["x-amz-date"], "%Y%m%dT%H%M%SZ"))
    signed = signed_headers(request, Scope(*scope), credentials, moment)

    assert signed["authorization"] == expected["authorization"]
    assert signed == expected | {"host": headers["host"]}


@settings(deadline=None)
@given(KEYS)
def test_keys_are_encoded_as_botocore_does(key: str) -> None:
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    url = client.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": key or "empty"})

    assert url.partition("?")[0].partition(".com/")[2] == encode_path(key or "empty")


def test_a_day_later_the_key_is_another_one() -> None:
    request, scope = Unsigned("GET", "/", {"host": "h"}), Scope("us-east-1", "s3")
    headers = [signed_headers(request, scope, Credentials("a", "b"), 1_000_000.0 + day * 86400) for day in (0, 1)]

    assert headers[0]["authorization"].split(", Sig")[0] != headers[1]["authorization"].split(", Sig")[0]
    assert "19700112/us-east-1/s3/aws4_request" in headers[0]["authorization"]


@pytest.mark.parametrize("region", sorted(translated()["Mappings"]["TrainingImages"]))
def test_endpoints_are_those_of_botocore(region: str) -> None:
    environment = {"AWS_REGION": region, "AWS_ENDPOINT_URL": ""}
    session = boto3.Session("a", "b", region_name=region)

    bucket = bucket_endpoint(environment, "bucket")

    assert f"https://{dynamodb_endpoint(environment).authority}" == session.client("dynamodb").meta.endpoint_url
    url = session.client("s3").generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "k"})
    # For its first region botocore still uses an older name.
    expected = url.partition("?")[0].replace("bucket.s3.amazon", f"bucket.s3.{region}.amazon")
    assert f"https://{bucket.origin.authority}{bucket.prefix}k" == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:8081"}, ("127.0.0.1:8081", "/b/")),
        ({"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_S3": "http://s/"}, ("s", "/b/")),
        ({"AWS_ENDPOINT_URL": "http://[::1]:8081/"}, ("[::1]:8081", "/b/")),
        ({"AWS_ENDPOINT_URL": "https://h"}, ("h", "/b/")),
    ],
)
def test_a_given_endpoint_goes_first(environment: dict[str, str], expected: tuple[str, str]) -> None:
    endpoint = bucket_endpoint({"AWS_REGION": "us-east-1"} | environment, "b")

    assert (endpoint.origin.authority, endpoint.prefix) == expected


def test_a_bucket_with_dots_is_named_in_the_path() -> None:
    endpoint = bucket_endpoint({"AWS_REGION": "us-east-1"}, "a.b")

    assert (endpoint.origin.authority, endpoint.prefix) == ("s3.us-east-1.amazonaws.com", "/a.b/")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8081", "ftp://h", "http://", "http://h/path", "http://h:x", "http://a@h", "http://::1"]
)
def test_what_is_not_the_address_of_an_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected http"):
        Origin.parse(url)


def test_signing_does_not_ask_the_clock() -> None:
    with patch("time.time", side_effect=AssertionError):
        signed_headers(Unsigned("GET", "/", {"host": "h"}), Scope("us-east-1", "s3"), Credentials("a", "b"), 0.0)
