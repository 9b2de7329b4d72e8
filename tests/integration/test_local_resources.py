"""The template is the only description: its resources, environments, routes and sources in the local cloud."""

import pytest

from modelmill_local import event_sources, functions, gateway, resources, schedules, template
from modelmill_local.bootstrap import expire_objects
from modelmill_local.cloud import ROOT
from tests.local_parts import local_aws


@pytest.fixture(scope="module")
def stack(aws):
    loaded = template.load(ROOT / "template.yaml", {"TrainingCodeHash": "a" * 64}, "local", aws.endpoint)
    resources.create(loaded, aws.client)
    return loaded


def test_what_moto_ignores_is_put_too(aws, stack):
    s3, dynamodb = aws.client("s3"), aws.client("dynamodb")
    uploads, store = (stack.resources[name].name for name in ("UploadsBucket", "StoreBucket"))
    assert s3.get_bucket_versioning(Bucket=store)["Status"] == "Enabled"
    rules = s3.get_bucket_lifecycle_configuration(Bucket=uploads)["Rules"]
    assert [rule["Expiration"] for rule in rules if "Expiration" in rule] == [{"Days": 2}]
    table = stack.resources["Table"].name
    description = dynamodb.describe_table(TableName=table)["Table"]
    assert [index["IndexName"] for index in description["GlobalSecondaryIndexes"]] == ["due"]
    ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "expires_at")


def test_queues_have_their_dead_letters_and_rules_their_targets(aws, stack):
    sqs, events = aws.client("sqs"), aws.client("events")
    for name in ("Ingest", "Dispatch", "Track", "Admit"):
        queue, dead = stack.resources[f"{name}Queue"], stack.resources[f"{name}DeadLetters"]
        url = sqs.get_queue_url(QueueName=queue.name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert dead.arn in attributes["RedrivePolicy"]
        assert attributes["VisibilityTimeout"] == str(queue.properties["VisibilityTimeout"])
    for rule, target in (("UploadArrived", "IngestQueue"), ("TrainingJobChanged", "TrackQueue")):
        targets = events.list_targets_by_rule(Rule=stack.resources[rule].name)["Targets"]
        assert [entry["Arn"] for entry in targets] == [stack.resources[target].arn]


def test_functions_get_the_environment_that_the_template_gives_them(aws, stack, tmp_path):
    made = functions.from_stack(stack, ROOT, tmp_path, {"AWS_ENDPOINT_URL": aws.endpoint})
    assert set(made) == {f"{name}Function" for name in ("Api", "Infer", "Ingest", "Dispatch", "Track", "Admit")}
    dispatch = made["DispatchFunction"].spec
    assert dispatch.folder == ROOT / "functions" / "dispatch"
    assert dispatch.environment["MODELMILL_TABLE"] == "local-Table"
    assert dispatch.environment["MODELMILL_STACK"] == "local"
    assert dispatch.environment["MODELMILL_TRAINING_CODE"] == f"training/{'a' * 64}/"
    assert dispatch.environment["MODELMILL_TRAINING_ROLE_ARN"].startswith("arn:aws:iam::123456789012:role/")
    assert dispatch.environment["AWS_ENDPOINT_URL"] == aws.endpoint
    url = made["ApiFunction"].spec.environment["MODELMILL_DISPATCH_QUEUE_URL"]
    assert url == f"{aws.endpoint}/123456789012/local-DispatchQueue"


def test_routes_sources_and_schedules_are_the_templates(stack):
    targets = {function.logical_id: object() for function in stack.of_type("AWS::Lambda::Function")}
    routes = {route.key: route.target for route in gateway.routes_of(stack, targets)}
    assert routes["$default"] is targets["ApiFunction"]
    assert routes["POST /v1/models/{model}/predict"] is targets["InferFunction"]
    assert gateway.cors_of(stack) == gateway.Cors()
    sources = event_sources.sources_of(stack, targets, lambda name: name)
    assert {source.queue_url: (source.batch_size, source.partial) for source in sources} == {
        "local-IngestQueue": (1, True),
        "local-DispatchQueue": (1, True),
        "local-AdmitQueue": (1, True),
        "local-TrackQueue": (10, True),
    }
    assert [(tick.seconds, tick.target_arn, tick.input) for tick in schedules.ticks_of(stack)] == [
        (60, stack.resources["TrackQueue"].arn, '{"sweep": true}')
    ]


def test_a_cors_origin_of_the_template_reaches_the_gateway(aws):
    loaded = template.load(ROOT / "template.yaml", {"CorsOrigin": "https://app.example"}, "cors", aws.endpoint)
    cors = gateway.cors_of(loaded)
    assert cors.origins == ("https://app.example",)
    assert "x-api-key" in cors.headers


def test_what_a_rule_lets_expire_goes_at_the_next_start(tmp_path):
    rules = [{"Id": "expire", "Status": "Enabled", "Prefix": "a/", "ExpirationInDays": 0}]
    properties = {"LifecycleConfiguration": {"Rules": rules}}
    with local_aws(tmp_path) as own:
        s3 = own.client("s3")
        s3.create_bucket(Bucket="old-things")
        s3.put_bucket_versioning(Bucket="old-things", VersioningConfiguration={"Status": "Enabled"})
        for key in ("a/x", "a/x", "b/x"):
            s3.put_object(Bucket="old-things", Key=key, Body=b"1")
        bucket = template.Resource("B", "AWS::S3::Bucket", "old-things", "arn", properties)
        rules[0]["ExpirationInDays"] = 1
        expire_objects(bucket, s3)
        assert s3.list_objects_v2(Bucket="old-things")["KeyCount"] == 2
        rules[0]["ExpirationInDays"] = -1
        expire_objects(bucket, s3)
        assert [found["Key"] for found in s3.list_object_versions(Bucket="old-things")["Versions"]] == ["b/x"]
