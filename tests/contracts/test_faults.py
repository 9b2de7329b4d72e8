"""What AWS answers when it is down or busy."""

import socket

import boto3
import pytest
from botocore.config import Config

from modelmill.aws.boto_dynamodb import BotoDynamoDB
from modelmill.aws.dynamodb import Table
from modelmill.aws.faults import translated
from modelmill.errors import Unavailable
from tests.cloud import aws_error


def test_an_endpoint_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = boto3.client(
        "dynamodb",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 0}, connect_timeout=1),
    )

    with pytest.raises(Unavailable) as error:
        Table(BotoDynamoDB(client), "table").get(("a", "b"))

    assert error.value.retry_after


@pytest.mark.parametrize(("code", "status"), [("SlowDown", 503), ("ThrottlingException", 400), ("Anything", 500)])
def test_busy_answers_are_unavailable(code: str, status: int) -> None:
    with pytest.raises(Unavailable), translated("S3"):
        raise aws_error(code, status)
