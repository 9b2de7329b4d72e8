"""The calls that the functions make, as recorded in a run of the main job, against what their roles allow.

No emulator judges IAM, so this is the one place where a policy that is too narrow shows before a real deployment.
"""

from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.template_setup import FUNCTIONS, STACK, Template, resolved, statements

REGIONAL = "us-east-1:123456789012"
JOB = f"arn:aws:sagemaker:{REGIONAL}:training-job/{STACK}-job-01-1"
TRAINING_LOGS = f"arn:aws:logs:{REGIONAL}:log-group:/aws/sagemaker/TrainingJobs"
DATASET = "StoreBucket.Arn/datasets/acme/ds-01/5ha/data.parquet"
SPEC = "StoreBucket.Arn/jobs/acme/job-01/spec/spec.json"
OUTPUT = f"StoreBucket.Arn/jobs/acme/job-01/output/{STACK}-job-01-1/output/model/model.onnx"
CHECKPOINT = "StoreBucket.Arn/checkpoints/acme/job-01/5ha.checkpoint"
BUNDLE = "StoreBucket.Arn/models/acme/cells/1/model.onnx"
UPLOAD = "UploadsBucket.Arn/datasets/acme/ds-01"
UPLOADED_BASE_MODEL = "UploadsBucket.Arn/base-models/acme/bm-01"
BASE_MODEL = "StoreBucket.Arn/base-models/acme/bm-01/5ha/model.safetensors"
UPLOADED_MODEL = "UploadsBucket.Arn/models/acme/cells/2"
CODE = "StoreBucket.Arn/training/5ha/train.sh"

TABLE_ACTIONS = {
    "Api": {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "ConditionCheckItem"},
    "Infer": {"GetItem", "Query", "UpdateItem"},
    "Ingest": {"GetItem", "UpdateItem"},
    "Dispatch": {"GetItem", "UpdateItem"},
    "Track": {"GetItem", "UpdateItem"},
    "Admit": {"GetItem", "PutItem", "UpdateItem"},
}

CALLS = {
    "Api": [
        ("s3:PutObject", UPLOAD, {}),
        ("s3:PutObject", UPLOADED_BASE_MODEL, {}),
        ("s3:PutObject", UPLOADED_MODEL, {}),
        ("s3:GetObject", DATASET, {}),
        ("s3:GetObject", BUNDLE, {}),
        ("s3:DeleteObject", DATASET, {}),
        ("s3:DeleteObject", BASE_MODEL, {}),
        ("s3:DeleteObject", BUNDLE, {}),
        ("s3:ListBucket", "StoreBucket.Arn", {"s3:prefix": "datasets/acme/ds-01/"}),
        ("s3:ListBucket", "StoreBucket.Arn", {"s3:prefix": "base-models/acme/bm-01/"}),
        ("s3:ListBucket", "StoreBucket.Arn", {"s3:prefix": "models/acme/cells/"}),
        ("sqs:SendMessage", "DispatchQueue.Arn", {}),
        ("sagemaker:StopTrainingJob", JOB, {}),
        ("logs:DescribeLogStreams", TRAINING_LOGS, {}),
        ("logs:GetLogEvents", f"{TRAINING_LOGS}:log-stream:{STACK}-job-01-1/algo-1-1", {}),
    ],
    "Infer": [
        ("dynamodb:UpdateItem", "Table.Arn", {"dynamodb:LeadingKeys": "USAGE#acme"}),
        ("s3:GetObject", BUNDLE, {}),
        ("s3:ListBucket", "StoreBucket.Arn", {}),
    ],
    "Ingest": [
        ("s3:GetObject", UPLOAD, {}),
        ("s3:ListBucket", "UploadsBucket.Arn", {}),
        ("s3:DeleteObject", UPLOAD, {}),
        ("s3:PutObject", DATASET, {}),
        ("s3:GetObject", UPLOADED_BASE_MODEL, {}),
        ("s3:DeleteObject", UPLOADED_BASE_MODEL, {}),
        ("s3:PutObject", BASE_MODEL, {}),
    ],
    "Dispatch": [
        ("s3:GetObject", CODE, {}),
        ("s3:ListBucket", "StoreBucket.Arn", {}),
        ("s3:PutObject", SPEC, {}),
        ("sagemaker:CreateTrainingJob", JOB, {}),
        ("sagemaker:AddTags", JOB, {}),
        ("iam:PassRole", "TrainingRole.Arn", {"iam:PassedToService": "sagemaker.amazonaws.com"}),
    ],
    "Track": [
        ("dynamodb:Query", "Table.Arn/index/due", {}),
        ("s3:GetObject", UPLOAD, {}),
        ("s3:GetObject", UPLOADED_BASE_MODEL, {}),
        ("s3:GetObject", UPLOADED_MODEL, {}),
        ("s3:ListBucket", "UploadsBucket.Arn", {}),
        ("sqs:SendMessage", "IngestQueue.Arn", {}),
        ("sqs:SendMessage", "DispatchQueue.Arn", {}),
        ("sqs:SendMessage", "AdmitQueue.Arn", {}),
        ("sagemaker:DescribeTrainingJob", JOB, {}),
        ("sagemaker:StopTrainingJob", JOB, {}),
    ],
    "Admit": [
        ("s3:ListBucket", "StoreBucket.Arn", {"s3:prefix": "jobs/acme/job-01/output/"}),
        ("s3:GetObject", OUTPUT, {}),
        ("s3:GetObject", UPLOADED_MODEL, {}),
        ("s3:ListBucket", "UploadsBucket.Arn", {}),
        ("s3:DeleteObject", UPLOADED_MODEL, {}),
        ("s3:PutObject", BUNDLE, {}),
        ("dynamodb:PutItem", "Table.Arn", {"dynamodb:LeadingKeys": "T#acme#M#cells"}),
        ("dynamodb:UpdateItem", "Table.Arn", {"dynamodb:LeadingKeys": "T#acme"}),
    ],
    "Training": [
        ("s3:ListBucket", "StoreBucket.Arn", {"s3:prefix": "datasets/acme/ds-01/5ha/"}),
        ("s3:ListBucket", "StoreBucket.Arn", {"s3:prefix": "base-models/acme/bm-01/5ha/"}),
        ("s3:GetObject", DATASET, {}),
        ("s3:GetObject", BASE_MODEL, {}),
        ("s3:GetObject", CODE, {}),
        ("s3:GetObject", SPEC, {}),
        ("s3:PutObject", OUTPUT, {}),
        ("s3:ListBucket", "StoreBucket.Arn", {"s3:prefix": "checkpoints/acme/job-01/"}),
        ("s3:GetObject", CHECKPOINT, {}),
        ("s3:PutObject", CHECKPOINT, {}),
        ("logs:CreateLogStream", f"{TRAINING_LOGS}:log-stream:{STACK}-job-01-1/algo-1-1", {}),
        ("logs:PutLogEvents", f"{TRAINING_LOGS}:log-stream:{STACK}-job-01-1/algo-1-1", {}),
    ],
}

FORBIDDEN = [
    ("Infer", "dynamodb:UpdateItem", "Table.Arn", {"dynamodb:LeadingKeys": "T#acme"}),
    ("Infer", "dynamodb:UpdateItem", "Table.Arn", {"dynamodb:LeadingKeys": "T#acme#M#cells"}),
    ("Infer", "s3:GetObject", DATASET, {}),
    ("Infer", "s3:ListBucket", "StoreBucket.Arn", {"s3:prefix": "datasets/acme/"}),
    ("Ingest", "s3:PutObject", BUNDLE, {}),
    ("Ingest", "s3:PutObject", UPLOAD, {}),
    ("Ingest", "s3:GetObject", UPLOADED_MODEL, {}),
    ("Ingest", "s3:DeleteObject", UPLOADED_MODEL, {}),
    ("Ingest", "s3:ListBucket", "UploadsBucket.Arn", {"s3:prefix": "models/acme/"}),
    ("Dispatch", "iam:PassRole", "TrainingRole.Arn", {"iam:PassedToService": "lambda.amazonaws.com"}),
    ("Dispatch", "iam:PassRole", "ApiRole.Arn", {"iam:PassedToService": "sagemaker.amazonaws.com"}),
    ("Dispatch", "s3:PutObject", CODE, {}),
    ("Dispatch", "sagemaker:CreateTrainingJob", JOB.replace(STACK, "other"), {}),
    ("Admit", "dynamodb:GetItem", "Table.Arn", {"dynamodb:LeadingKeys": "KEY#5ha"}),
    ("Admit", "dynamodb:PutItem", "Table.Arn", {"dynamodb:LeadingKeys": "KEY#5ha"}),
    ("Admit", "s3:GetObject", DATASET, {}),
    ("Admit", "s3:GetObject", UPLOAD, {}),
    ("Admit", "s3:DeleteObject", UPLOAD, {}),
    ("Admit", "s3:PutObject", UPLOADED_MODEL, {}),
    ("Admit", "s3:ListBucket", "UploadsBucket.Arn", {"s3:prefix": "datasets/acme/"}),
    ("Admit", "s3:DeleteObject", BUNDLE, {}),
    ("Admit", "s3:GetObject", UPLOADED_BASE_MODEL, {}),
    ("Admit", "s3:GetObject", BASE_MODEL, {}),
    ("Infer", "s3:GetObject", BASE_MODEL, {}),
    ("Api", "s3:GetObject", BASE_MODEL, {}),
    ("Api", "s3:PutObject", BUNDLE, {}),
    ("Api", "s3:DeleteObject", UPLOAD, {}),
    ("Api", "s3:GetObject", UPLOADED_MODEL, {}),
    ("Api", "s3:PutObject", "UploadsBucket.Arn/other", {}),
    ("Track", "s3:DeleteObject", UPLOADED_MODEL, {}),
    ("Api", "sagemaker:CreateTrainingJob", JOB, {}),
    ("Training", "s3:GetObject", BUNDLE, {}),
    ("Training", "s3:PutObject", DATASET, {}),
    ("Training", "s3:ListBucket", "StoreBucket.Arn", {}),
]


@pytest.fixture(scope="module")
def template() -> Template:
    return resolved()


def allows(template: Template, role: str, action: str, resource: str, context: dict[str, str]) -> bool:
    """Whether one of the role's statements lets the call through; there are no denials in roles."""
    return any(
        action in statement.actions
        and any(fnmatchcase(resource, pattern) for pattern in statement.resources)
        and _holds(statement.condition, context)
        for statement in statements(template, f"{role}Role")
        if statement.effect == "Allow"
    )


def _holds(condition: dict[str, Any], context: dict[str, str]) -> bool:
    for operator, tests in condition.items():
        for key, wanted in tests.items():
            if key not in context:
                if not operator.endswith("IfExists"):
                    return False
                continue
            patterns = wanted if isinstance(wanted, list) else [wanted]
            if not any(fnmatchcase(context[key], pattern) for pattern in patterns):
                return False
    return True


@pytest.mark.parametrize(("role", "call"), [(role, call) for role, calls in CALLS.items() for call in calls])
def test_roles_allow_what_functions_do(template: Template, role: str, call: tuple[str, str, dict[str, str]]) -> None:
    assert allows(template, role, *call)


@pytest.mark.parametrize("call", FORBIDDEN)
def test_roles_allow_no_more(template: Template, call: tuple[str, str, str, dict[str, str]]) -> None:
    assert not allows(template, *call)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_may_do_with_the_table_exactly_what_they_do(template: Template, name: str) -> None:
    allowed = {
        action.removeprefix("dynamodb:")
        for statement in statements(template, f"{name}Role")
        if statement.resources == ("Table.Arn",)
        for action in statement.actions
    }

    assert allowed == TABLE_ACTIONS[name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_write_only_their_own_log(template: Template, name: str) -> None:
    groups = {
        resource
        for statement in statements(template, f"{name}Role")
        if "logs:PutLogEvents" in statement.actions
        for resource in statement.resources
    }

    assert groups == {f"{name}LogGroup.Arn"}


@pytest.mark.parametrize("name", ["Ingest", "Dispatch", "Track", "Admit"])
def test_consumers_receive_only_from_their_own_queue(template: Template, name: str) -> None:
    queues = {
        resource
        for statement in statements(template, f"{name}Role")
        if "sqs:ReceiveMessage" in statement.actions
        for resource in statement.resources
    }

    assert queues == {f"{name}Queue.Arn"}
    for action in ("sqs:DeleteMessage", "sqs:GetQueueAttributes"):
        assert allows(template, name, action, f"{name}Queue.Arn", {})
