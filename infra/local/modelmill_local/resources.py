"""Makes the template's stateful resources in the local AWS, through its public API."""

import json
from collections.abc import Callable
from typing import Any

from modelmill_local.template import Resource, Stack

Clients = Callable[[str], Any]


def create(stack: Stack, clients: Clients) -> None:
    """Make every table, bucket, queue, log group and rule of the stack; dead-letter queues before their users."""
    for kind, make in _MAKERS.items():
        for resource in sorted(stack.of_type(kind), key=lambda r: "RedrivePolicy" in r.properties):
            make(resource, clients)


def _table(table: Resource, clients: Clients) -> None:
    dynamodb = clients("dynamodb")
    given = table.properties
    request = {key: given[key] for key in _TABLE_KEYS if key in given}
    if "StreamSpecification" in given:
        request["StreamSpecification"] = {"StreamEnabled": True, **given["StreamSpecification"]}
    dynamodb.create_table(TableName=table.name, **request)
    if ttl := given.get("TimeToLiveSpecification"):
        dynamodb.update_time_to_live(
            TableName=table.name,
            TimeToLiveSpecification={"AttributeName": ttl["AttributeName"], "Enabled": _is_true(ttl["Enabled"])},
        )
    if recovery := given.get("PointInTimeRecoverySpecification"):
        dynamodb.update_continuous_backups(
            TableName=table.name,
            PointInTimeRecoverySpecification={
                "PointInTimeRecoveryEnabled": _is_true(recovery["PointInTimeRecoveryEnabled"])
            },
        )


def _bucket(bucket: Resource, clients: Clients) -> None:
    s3 = clients("s3")
    given = bucket.properties
    s3.create_bucket(Bucket=bucket.name)
    if "VersioningConfiguration" in given:
        s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration=given["VersioningConfiguration"])
    notifications = given.get("NotificationConfiguration", {}).get("EventBridgeConfiguration", {})
    if _is_true(notifications.get("EventBridgeEnabled", False)):
        s3.put_bucket_notification_configuration(
            Bucket=bucket.name, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
    if rules := given.get("LifecycleConfiguration", {}).get("Rules"):
        s3.put_bucket_lifecycle_configuration(
            Bucket=bucket.name, LifecycleConfiguration={"Rules": [_lifecycle_rule(rule) for rule in rules]}
        )
    if rules := given.get("CorsConfiguration", {}).get("CorsRules"):
        s3.put_bucket_cors(Bucket=bucket.name, CORSConfiguration={"CORSRules": [_cors_rule(rule) for rule in rules]})
    if "PublicAccessBlockConfiguration" in given:
        block = {key: _is_true(value) for key, value in given["PublicAccessBlockConfiguration"].items()}
        s3.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration=block)


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """CloudFormation's flat lifecycle rule in the nested form of the S3 API."""
    made: dict[str, Any] = {"ID": rule.get("Id", "rule"), "Status": rule["Status"]}
    made["Filter"] = {"Prefix": rule.get("Prefix", "")}
    if "ExpirationInDays" in rule:
        made["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    elif "ExpiredObjectDeleteMarker" in rule:
        made["Expiration"] = {"ExpiredObjectDeleteMarker": _is_true(rule["ExpiredObjectDeleteMarker"])}
    if old := rule.get("NoncurrentVersionExpiration"):
        made["NoncurrentVersionExpiration"] = {key: int(value) for key, value in old.items()}
    if parts := rule.get("AbortIncompleteMultipartUpload"):
        made["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": int(parts["DaysAfterInitiation"])}
    return made


def _cors_rule(rule: dict[str, Any]) -> dict[str, Any]:
    names = {"MaxAge": "MaxAgeSeconds", "ExposedHeaders": "ExposeHeaders", "Id": "ID"}
    return {names.get(key, key): value for key, value in rule.items()}


def _queue(queue: Resource, clients: Clients) -> None:
    attributes = {}
    for key in _QUEUE_ATTRIBUTES & queue.properties.keys():
        value = queue.properties[key]
        attributes[key] = json.dumps(value) if isinstance(value, dict) else str(value)
    clients("sqs").create_queue(QueueName=queue.name, Attributes=attributes)


def _log_group(group: Resource, clients: Clients) -> None:
    clients("logs").create_log_group(logGroupName=group.name)
    if "RetentionInDays" in group.properties:
        days = int(group.properties["RetentionInDays"])
        clients("logs").put_retention_policy(logGroupName=group.name, retentionInDays=days)


def _rule(rule: Resource, clients: Clients) -> None:
    if "EventPattern" not in rule.properties:
        return  # a schedule: modelmill_local.schedules ticks it
    events = clients("events")
    pattern = json.dumps(rule.properties["EventPattern"])
    events.put_rule(Name=rule.name, EventPattern=pattern, State=rule.properties.get("State", "ENABLED"))
    if targets := rule.properties.get("Targets"):
        events.put_targets(Rule=rule.name, Targets=targets)


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


_TABLE_KEYS = (
    "AttributeDefinitions",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "ProvisionedThroughput",
)
_QUEUE_ATTRIBUTES = {
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "VisibilityTimeout",
}
_MAKERS: dict[str, Callable[[Resource, Clients], None]] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::S3::Bucket": _bucket,
    "AWS::SQS::Queue": _queue,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::Events::Rule": _rule,
}
