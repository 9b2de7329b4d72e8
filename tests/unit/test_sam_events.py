"""The example events for `sam local`: in AWS's form, and understood by what consumes them."""

import hashlib
import json
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import (
    APIGatewayProxyEventV2,
    S3EventBridgeNotificationEvent,
    SQSEvent,
)

from infra.translated import TEMPLATE
from modelmill.aws.queues import parse_job_message, parse_upload_message
from modelmill.datasets.arrival import parse_upload_key as parse_dataset_key
from modelmill.jobs.dispatch import parse_training_job_name
from modelmill.models.arrival import parse_upload_key as parse_model_key
from modelmill_local.template import load
from tests.template_setup import FUNCTIONS, ROOT, resolved

EVENTS = ROOT / "infra" / "events"
QUEUED = ("ingest-upload", "dispatch-job", "track-job-changed", "track-sweep", "admit-bundle", "admit-upload")
HTTP = ("api-health", "api-datasets", "infer-predict")
ENDPOINT = "http://host.docker.internal:8081"


def event(name: str) -> dict[str, Any]:
    return dict(json.loads((EVENTS / f"{name}.json").read_text("utf-8")))


def body(name: str) -> dict[str, Any]:
    (record,) = event(name)["Records"]
    return dict(json.loads(record["body"]))


def test_every_function_has_an_event() -> None:
    names = {path.stem for path in EVENTS.glob("*-*.json")}

    assert names == {*QUEUED, *HTTP}
    assert {name.partition("-")[0] for name in names} == {name.lower() for name in FUNCTIONS}


@pytest.mark.parametrize("name", QUEUED)
def test_messages_are_whole(name: str) -> None:
    (record,) = SQSEvent(event(name)).records

    assert record.md5_of_body == hashlib.md5(record.body.encode()).hexdigest()
    assert record.event_source == "aws:sqs"
    assert record.event_source_arn.endswith(f"-{name.partition('-')[0].title()}Queue")
    assert record.attributes.approximate_receive_count == "1"


@pytest.mark.parametrize("name", ["ingest-upload", "admit-upload"])
def test_the_upload_events_are_s3s_through_eventbridge(name: str) -> None:
    arrived = S3EventBridgeNotificationEvent(body(name))

    assert (arrived.source, arrived.detail_type) == ("aws.s3", "Object Created")
    assert arrived.detail.object.etag
    assert arrived.detail.object.sequencer
    assert arrived.detail.bucket.name == "modelmill-uploadsbucket"


@pytest.mark.parametrize(
    ("name", "rule"), [("ingest-upload", "UploadArrived"), ("admit-upload", "ModelArrived")], ids=["ingest", "admit"]
)
def test_the_upload_events_are_those_that_the_rule_lets_through(name: str, rule: str) -> None:
    arrived, pattern = body(name), resolved()[rule]["EventPattern"]

    assert arrived["source"] in pattern["source"]
    assert arrived["detail-type"] in pattern["detail-type"]
    prefixes = [key["prefix"] for key in pattern["detail"]["object"]["key"]]
    assert arrived["detail"]["object"]["key"].startswith(tuple(prefixes))


def test_the_keys_of_uploads_can_be_read() -> None:
    keys = {name: body(name)["detail"]["object"]["key"] for name in ("ingest-upload", "admit-upload")}

    assert parse_dataset_key("datasets", keys["ingest-upload"])
    assert parse_model_key(keys["admit-upload"]) == ("default", "churn", 3)
    (record,) = event("admit-upload")["Records"]
    assert parse_upload_message(record["body"], "modelmill-uploadsbucket") == keys["admit-upload"]


@pytest.mark.parametrize("name", ["dispatch-job", "admit-bundle"])
def test_job_messages_can_be_read(name: str) -> None:
    (record,) = event(name)["Records"]

    tenant, job_id = parse_job_message(record["body"])

    assert tenant == "default"
    assert job_id.startswith("job-")


def test_the_training_event_is_sagemakers() -> None:
    changed = body("track-job-changed")

    assert (changed["source"], changed["detail-type"]) == ("aws.sagemaker", "SageMaker Training Job State Change")
    assert parse_training_job_name("modelmill", changed["detail"]["TrainingJobName"])


@pytest.mark.parametrize("name", HTTP)
def test_requests_have_the_form_of_payload_2(name: str) -> None:
    request = APIGatewayProxyEventV2(event(name))

    assert request["version"] == "2.0"
    assert request.request_context.http.path == request.raw_path
    assert request["routeKey"] == request.request_context.route_key
    assert all(header == header.lower() for header in request["headers"])


def test_the_environment_is_the_one_that_the_local_cloud_gives() -> None:
    # given what each function gets in the local cloud
    stack = load(TEMPLATE, {}, "modelmill", ENDPOINT)
    given: dict[str, str] = {"AWS_ENDPOINT_URL": ENDPOINT}
    for function in stack.of_type("AWS::Lambda::Function"):
        variables = function.properties["Environment"]["Variables"]
        given |= {name: text for name, text in variables.items() if name.startswith("MODELMILL_")}

    # when the file for `sam local` is laid beside it
    replaced = json.loads((EVENTS / "env.json").read_text("utf-8"))["Parameters"]

    # then it says the same, and leaves out only what holds no reference to a resource
    assert replaced.items() <= given.items()
    assert not [name for name in given.keys() - replaced.keys() if name.endswith(("_URL", "_BUCKET", "_TABLE", "_ARN"))]
