"""Who may do what: roles, bucket and queue policies, what faces the internet."""

import re

import pytest

from tests.template_setup import EVERYTHING_ON, FUNCTIONS, STACK, Template, as_list, resolved, statements

# Neither service knows resources for these.
ACTIONS_WITHOUT_RESOURCES = {"ecr:GetAuthorizationToken", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}
OWN_PREFIXES = re.compile(
    rf"(StoreBucket|UploadsBucket)\.Arn/"
    rf"|arn:aws:sagemaker:[^:*]+:[0-9]+:training-job/{STACK}-"
    rf"|arn:aws:logs:[^:*]+:[0-9]+:log-group:/aws/sagemaker/TrainingJobs:(log-stream:{STACK}-)?"
)


@pytest.fixture(params=[{}, EVERYTHING_ON], ids=["defaults", "everything on"])
def template(request: pytest.FixtureRequest) -> Template:
    return resolved(request.param)


def test_every_function_has_a_role_of_its_own(template: Template) -> None:
    roles = [template[f"{name}Function"]["Role"] for name in FUNCTIONS]

    assert roles == [f"{name}Role.Arn" for name in FUNCTIONS]


def test_no_role_uses_a_policy_that_others_wrote(template: Template) -> None:
    for role in template.of_type("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role


def test_no_action_has_a_wildcard(template: Template) -> None:
    actions = {action for statement in statements(template) for action in statement.actions}

    assert actions
    assert not [action for action in actions if "*" in action]


def test_resources_have_wildcards_only_after_the_stacks_own_prefix(template: Template) -> None:
    for statement in statements(template):
        if set(statement.actions) <= ACTIONS_WITHOUT_RESOURCES:
            assert statement.resources == ("*",)
            continue
        for resource in statement.resources:
            fixed, star, _ = resource.partition("*")
            assert not star or OWN_PREFIXES.match(fixed), f"{statement.owner}: {resource}"


def test_only_dispatch_passes_a_role_and_only_the_training_role_to_sagemaker(template: Template) -> None:
    passing = [statement for statement in statements(template) if "iam:PassRole" in statement.actions]

    assert [(s.owner, s.actions, s.resources) for s in passing] == [
        ("DispatchRole", ("iam:PassRole",), ("TrainingRole.Arn",))
    ]
    assert passing[0].condition == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_sagemaker_takes_the_training_role_only_for_jobs_of_this_stack(template: Template) -> None:
    (trust,) = template["TrainingRole"]["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{STACK}-*"},
    }


def test_training_reads_its_inputs_and_writes_only_its_output_and_checkpoints(template: Template) -> None:
    allowed = {
        action: statement.resources
        for statement in statements(template, "TrainingRole")
        for action in statement.actions
    }

    assert allowed["s3:GetObject"] == (
        "StoreBucket.Arn/datasets/*",
        "StoreBucket.Arn/base-models/*",
        "StoreBucket.Arn/training/*",
        "StoreBucket.Arn/jobs/*/spec/*",
        "StoreBucket.Arn/checkpoints/*",
    )
    assert allowed["s3:PutObject"] == ("StoreBucket.Arn/jobs/*/output/*", "StoreBucket.Arn/checkpoints/*")
    assert not [action for action in allowed if action.startswith(("dynamodb:", "sqs:", "sagemaker:", "s3:Delete"))]


def test_uploads_of_datasets_and_of_models_are_read_by_different_roles(template: Template) -> None:
    reached = {
        role: {
            resource
            for statement in statements(template, f"{role}Role")
            for resource in statement.resources
            if resource.startswith("UploadsBucket.Arn/")
        }
        for role in FUNCTIONS
    }

    read_as_data, run = (
        {"UploadsBucket.Arn/datasets/*", "UploadsBucket.Arn/base-models/*"},
        {"UploadsBucket.Arn/models/*"},
    )
    assert reached == {
        "Api": read_as_data | run,
        "Infer": set(),
        "Ingest": read_as_data,
        "Dispatch": set(),
        "Track": read_as_data | run,
        "Admit": run,
    }


def test_admit_reaches_no_datasets_and_no_base_models(template: Template) -> None:
    reached = [resource for s in statements(template, "AdmitRole") for resource in s.resources]

    assert not [resource for resource in reached if "datasets" in resource or "base-models" in resource]


@pytest.mark.parametrize("bucket", ["UploadsBucket", "StoreBucket"])
def test_buckets_are_private_encrypted_and_refuse_plain_http(template: Template, bucket: str) -> None:
    properties = template[bucket]
    (denial,) = template[f"{bucket}Policy"]["PolicyDocument"]["Statement"]

    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert properties["BucketEncryption"]
    assert denial["Effect"] == "Deny"
    assert denial["Resource"] == [f"{bucket}.Arn", f"{bucket}.Arn/*"]
    assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_queue_policies_let_in_only_the_rules_that_target_the_queue(template: Template) -> None:
    targets: dict[str, set[str]] = {}
    for rule, properties in template.of_type("AWS::Events::Rule").items():
        for target in properties["Targets"]:
            for arn in (target["Arn"], target["DeadLetterConfig"]["Arn"]):
                targets.setdefault(arn, set()).add(f"{rule}.Arn")
    allowed: dict[str, set[str]] = {}
    for policy in template.of_type("AWS::SQS::QueuePolicy").values():
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert statement["Action"] == "sqs:SendMessage"
        assert policy["Queues"] == [resource.removesuffix(".Arn") for resource in statement["Resource"]]
        for resource in statement["Resource"]:
            allowed[resource] = set(as_list(statement["Condition"]["ArnEquals"]["aws:SourceArn"]))

    assert allowed == targets


def test_queues_are_encrypted(template: Template) -> None:
    assert all(queue["SqsManagedSseEnabled"] for queue in template.of_type("AWS::SQS::Queue").values())


def test_http_reaches_only_the_two_functions_that_check_keys(template: Template) -> None:
    permissions = [
        permission["FunctionName"]
        for permission in template.of_type("AWS::Lambda::Permission").values()
        if permission["Principal"] == "apigateway.amazonaws.com"
    ]

    assert set(permissions) == {"ApiFunction", "InferFunctionAliaslive"}
    assert len(template.of_type("AWS::Lambda::Permission")) == len(permissions)
    assert not template.of_type("AWS::Lambda::Url")


def test_no_origin_is_let_in_by_default() -> None:
    template = resolved()

    assert "x-amazon-apigateway-cors" not in template["HttpApi"]["Body"]
    assert "CorsConfiguration" not in template["UploadsBucket"]


def test_a_given_origin_is_the_only_one() -> None:
    template = resolved({"CorsOrigin": "https://app.example"})

    (rule,) = template["UploadsBucket"]["CorsConfiguration"]["CorsRules"]
    assert rule["AllowedOrigins"] == ["https://app.example"]
    assert rule["AllowedMethods"] == ["POST"]
    assert "allowCredentials" not in template["HttpApi"]["Body"]["x-amazon-apigateway-cors"]


def test_the_stage_throttles_and_logs(template: Template) -> None:
    (stage,) = template.of_type("AWS::ApiGatewayV2::Stage").values()

    assert stage["StageName"] == "$default"
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": "50", "ThrottlingBurstLimit": "100"}
    assert stage["AccessLogSettings"]["DestinationArn"] == "HttpLogGroup.Arn"
    assert "header" not in stage["AccessLogSettings"]["Format"].lower()


def test_nothing_secret_is_in_a_functions_environment(template: Template) -> None:
    for properties in template.of_type("AWS::Lambda::Function").values():
        names = properties["Environment"]["Variables"]
        assert not [name for name in names if re.search("SECRET|PASSWORD|TOKEN|API_KEY", name)]


def test_an_own_key_encrypts_table_and_buckets_and_all_roles_may_use_it() -> None:
    template = resolved({"OwnKmsKey": "true"})

    assert template["DataKey"]["EnableKeyRotation"] is True
    assert template["Table"]["SSESpecification"]["KMSMasterKeyId"] == "DataKey.Arn"
    for bucket in ("UploadsBucket", "StoreBucket"):
        (rule,) = template[bucket]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "DataKey.Arn"}
    for role in template.of_type("AWS::IAM::Role"):
        assert "kms:Decrypt" in {action for s in statements(template, role) for action in s.actions}
