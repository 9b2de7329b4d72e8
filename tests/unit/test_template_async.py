"""Queues, rules and what consumes them: nothing is lost, nothing runs in a circle."""

from typing import Any

import pytest

from modelmill.base_models.lifecycle import upload_key as base_model_key
from modelmill.datasets.lifecycle import upload_key
from modelmill.models.uploads import upload_key as model_key
from tests.template_setup import CONSUMERS, STACK, Template, resolved, statements


@pytest.fixture(scope="module")
def template() -> Template:
    return resolved()


def source(template: Template, name: str) -> dict[str, Any]:
    (mapping,) = [
        mapping
        for mapping in template.of_type("AWS::Lambda::EventSourceMapping").values()
        if mapping["FunctionName"] == f"{name}Function"
    ]
    return mapping


def test_each_consumer_has_exactly_its_queue(template: Template) -> None:
    assert len(template.of_type("AWS::Lambda::EventSourceMapping")) == len(CONSUMERS)
    for name in CONSUMERS:
        assert source(template, name)["EventSourceArn"] == f"{name}Queue.Arn"


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_failed_message_comes_back_alone(template: Template, name: str) -> None:
    assert source(template, name)["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source(template, name)["BatchSize"] == (10 if name == "Track" else 1)


@pytest.mark.parametrize("name", CONSUMERS)
def test_messages_stay_hidden_for_six_times_the_functions_time(template: Template, name: str) -> None:
    assert template[f"{name}Queue"]["VisibilityTimeout"] >= 6 * template[f"{name}Function"]["Timeout"]
    assert template[f"{name}Queue"]["VisibilityTimeout"] <= 43200


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_poison_message_ends_in_the_dead_letters(template: Template, name: str) -> None:
    redrive = template[f"{name}Queue"]["RedrivePolicy"]

    assert redrive == {"deadLetterTargetArn": f"{name}DeadLetters.Arn", "maxReceiveCount": 5}
    assert template[f"{name}DeadLetters"]["MessageRetentionPeriod"] == 14 * 86400
    assert "RedrivePolicy" not in template[f"{name}DeadLetters"]


def test_only_dispatch_is_bounded(template: Template) -> None:
    bounded = {name: source(template, name).get("ScalingConfig") for name in CONSUMERS}

    assert bounded == {"Ingest": None, "Dispatch": {"MaximumConcurrency": 2}, "Track": None, "Admit": None}


def test_every_rule_retries_and_has_dead_letters(template: Template) -> None:
    rules = template.of_type("AWS::Events::Rule")

    assert set(rules) == {"UploadArrived", "ModelArrived", "TrainingJobChanged", "Sweep"}
    for rule in rules.values():
        (target,) = rule["Targets"]
        assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
        assert target["DeadLetterConfig"]["Arn"] == target["Arn"].replace("Queue", "DeadLetters")


def test_rules_match_only_what_is_this_stacks_and_never_the_reason(template: Template) -> None:
    for rule, kinds in (("UploadArrived", ("datasets", "base-models")), ("ModelArrived", ("models",))):
        assert template[rule]["EventPattern"] == {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {
                "bucket": {"name": ["UploadsBucket"]},
                "object": {"key": [{"prefix": f"{kind}/"} for kind in kinds]},
            },
        }
    assert template["TrainingJobChanged"]["EventPattern"] == {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Training Job State Change"],
        "detail": {"TrainingJobName": [{"prefix": f"{STACK}-"}]},
    }


def test_each_kind_of_upload_goes_to_the_queue_of_its_function(template: Template) -> None:
    keys = {
        upload_key("t", "ds-1"): "IngestQueue.Arn",
        base_model_key("t", "bm-1"): "IngestQueue.Arn",
        model_key("t", "m", 1): "AdmitQueue.Arn",
    }

    for key, queue in keys.items():
        told = [
            rule["Targets"][0]["Arn"]
            for rule in template.of_type("AWS::Events::Rule").values()
            for pattern in rule.get("EventPattern", {}).get("detail", {}).get("object", {}).get("key", [])
            if key.startswith(pattern["prefix"])
        ]
        assert told == [queue]


def test_the_sweep_comes_every_minute(template: Template) -> None:
    (target,) = template["Sweep"]["Targets"]

    assert template["Sweep"]["ScheduleExpression"] == "rate(1 minute)"
    assert target["Input"] == '{"sweep": true}'
    assert target["Arn"] == "TrackQueue.Arn"


def test_no_function_writes_where_its_trigger_listens(template: Template) -> None:
    notifying = [
        name for name, bucket in template.of_type("AWS::S3::Bucket").items() if "NotificationConfiguration" in bucket
    ]
    writers = {
        statement.owner
        for statement in statements(template)
        if "s3:PutObject" in statement.actions
        and any(resource.startswith("UploadsBucket.Arn") for resource in statement.resources)
    }

    assert notifying == ["UploadsBucket"]
    assert writers == {"ApiRole"}


def test_uploads_expire_and_the_store_keeps_old_versions_for_a_month(template: Template) -> None:
    uploads = template["UploadsBucket"]["LifecycleConfiguration"]["Rules"]
    store = template["StoreBucket"]["LifecycleConfiguration"]["Rules"]

    assert {"Id": "expire", "Status": "Enabled", "ExpirationInDays": 2} in uploads
    assert template["StoreBucket"]["VersioningConfiguration"] == {"Status": "Enabled"}
    assert any(rule.get("NoncurrentVersionExpiration") == {"NoncurrentDays": 30} for rule in store)
    assert [rule["Prefix"] for rule in store if "ExpirationInDays" in rule] == ["checkpoints/"]
    for rules in (uploads, store):
        assert any(rule.get("AbortIncompleteMultipartUpload") for rule in rules)


def test_one_alarm_watches_all_dead_letters(template: Template) -> None:
    (alarm,) = template.of_type("AWS::CloudWatch::Alarm").values()
    watched = {
        metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"]
        for metric in alarm["Metrics"]
        if "MetricStat" in metric
    }
    (total,) = [metric for metric in alarm["Metrics"] if "Expression" in metric]

    assert watched == {f"{name}DeadLetters.QueueName" for name in CONSUMERS}
    assert all(name.lower() in total["Expression"] for name in CONSUMERS)
    assert alarm["TreatMissingData"] == "notBreaching"
    assert "AlarmActions" not in alarm
    assert resolved({"AlarmEmail": "ops@example.com"})["DeadLettersAlarm"]["AlarmActions"] == ["AlarmTopic"]
