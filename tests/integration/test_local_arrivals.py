"""What is uploaded to the local S3 reaches the queue of the function that works on its kind, and no other."""

import json

import pytest

from modelmill.base_models.lifecycle import upload_key as base_model_key
from modelmill.datasets.lifecycle import upload_key as dataset_key
from modelmill.models.uploads import upload_key as model_key
from modelmill_local import resources, template
from modelmill_local.cloud import ROOT


@pytest.fixture(scope="module")
def stack(aws):
    loaded = template.load(ROOT / "template.yaml", {}, "arrivals", aws.endpoint)
    resources.create(loaded, aws.client)
    return loaded


def told(aws, stack, queue: str) -> list[str]:
    """The keys that the messages in a queue name."""
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=stack.resources[queue].name)["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"])["detail"]["object"]["key"] for message in found]


@pytest.mark.parametrize(
    ("key", "queue"),
    [
        (dataset_key("acme", "ds-1"), "IngestQueue"),
        (base_model_key("acme", "bm-1"), "IngestQueue"),
        (model_key("acme", "datasets", 1), "AdmitQueue"),
        ("acme/models/m/1", None),
    ],
)
def test_an_upload_is_told_to_one_queue(aws, stack, key, queue):
    bucket = stack.resources["UploadsBucket"].name

    aws.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")

    assert {name: told(aws, stack, name) for name in ("IngestQueue", "AdmitQueue")} == {
        name: [key] if name == queue else [] for name in ("IngestQueue", "AdmitQueue")
    }
