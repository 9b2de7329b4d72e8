"""The operator's commands against moto: what they ask of AWS and in which order. `sam` itself is a recorder."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.deploy import add_key
from infra.deploy import deploy as deploying
from infra.deploy import destroy as destroying
from infra.deploy.stack import DeploymentError, outputs
from infra.translated import translated
from modelmill.aws.boto_dynamodb import BotoDynamoDB
from modelmill.aws.dynamodb import Table
from modelmill.aws.tenancy import TableKeys
from modelmill.tenancy.keys import authenticate

REGION = "eu-west-1"
STACK = "mm-test"
DEPLOYMENT = deploying.Deployment(STACK, REGION, "acme", {"LogLevel": "DEBUG"})
DATA_TYPES = {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Logs::LogGroup"}
CODE_SHA256 = "c0de" * 16


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.Session(region_name=REGION)


class Sam:
    """Records the commands; `sam deploy` makes the part of the stack that holds data."""

    def __init__(self, session: boto3.Session) -> None:
        self._session = session
        self.commands: list[list[str]] = []
        self.uploaded_before_deploy: list[str] = []

    def __call__(self, command: Sequence[str]) -> None:
        self.commands.append(list(command))
        if command[1] != "deploy":
            return
        cloudformation = self._session.client("cloudformation")
        found = outputs(cloudformation, STACK)
        if found is None:
            cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(data_stack()))
        else:
            self.uploaded_before_deploy = keys_in(self._session, found["StoreBucket"])


def data_stack() -> dict[str, Any]:
    """The translated template cut down to what moto's CloudFormation can make."""
    source = translated()
    kept = {name: body for name, body in source["Resources"].items() if body["Type"] in DATA_TYPES}
    for body in kept.values():
        if body.get("DeletionPolicy") == "RetainExceptOnCreate":
            body["DeletionPolicy"] = "Retain"
    url = {"Value": "https://api.example"}
    return {
        "Parameters": source["Parameters"],
        "Conditions": source["Conditions"],
        "Resources": kept,
        "Outputs": {name: source["Outputs"][name] for name in ("Table", "UploadsBucket", "StoreBucket")} | {"Url": url},
    }


def build_code(folder: Path) -> str:
    """Training code as small as it gets."""
    (folder / "modelmill_training").mkdir()
    (folder / "modelmill_training" / "__main__.py").write_text("print('training')", "utf-8")
    (folder / "train.sh").write_text("python -m modelmill_training", "utf-8")
    return CODE_SHA256


def keys_in(session: boto3.Session, bucket: str) -> list[str]:
    listed = session.client("s3").list_objects_v2(Bucket=bucket)
    return [item["Key"] for item in listed.get("Contents", ())]


def stack_outputs(session: boto3.Session) -> dict[str, str]:
    found = outputs(session.client("cloudformation"), STACK)
    assert found is not None
    return found


def table_keys(session: boto3.Session) -> TableKeys:
    return TableKeys(Table(BotoDynamoDB(session.client("dynamodb")), stack_outputs(session)["Table"]))


def test_the_first_deployment_builds_deploys_uploads_and_makes_a_key(session: boto3.Session) -> None:
    # given an account without the stack
    sam = Sam(session)

    # when
    deployed = deploying.deploy(DEPLOYMENT, sam, build_code, session)

    # then
    assert [command[:2] for command in sam.commands] == [["sam", "build"], ["sam", "deploy"]]
    assert keys_in(session, stack_outputs(session)["StoreBucket"]) == [
        f"training/{CODE_SHA256}/modelmill_training/__main__.py",
        f"training/{CODE_SHA256}/train.sh",
    ]
    key = authenticate(table_keys(session).find, deployed.key)
    assert (key.tenant, key.scopes) == ("acme", ("admin",))
    assert deployed.url == "https://api.example"


def test_sam_deploy_is_asked_for_this_code_and_asks_nothing(session: boto3.Session) -> None:
    sam = Sam(session)

    deploying.deploy(DEPLOYMENT, sam, build_code, session)

    command = sam.commands[-1]
    assert command[command.index("--stack-name") + 1] == STACK
    assert command[command.index("--region") + 1] == REGION
    assert "--no-confirm-changeset" in command
    assert "--guided" not in command
    overrides = command[command.index("--parameter-overrides") + 1 :]
    assert overrides == ["LogLevel=DEBUG", f"TrainingCodeHash={CODE_SHA256}"]


def test_a_second_deployment_shows_no_key_and_uploads_ahead_of_the_functions(session: boto3.Session) -> None:
    # given a deployed stack, and other training code
    deploying.deploy(DEPLOYMENT, Sam(session), build_code, session)
    sam = Sam(session)

    # when
    again = deploying.deploy(DEPLOYMENT, sam, lambda folder: build_code(folder).replace("c", "d"), session)

    # then
    assert again.key is None
    assert f"training/{CODE_SHA256.replace('c', 'd')}/train.sh" in sam.uploaded_before_deploy
    assert len(table_keys(session).page("acme", 10, None).items) == 1


def test_code_that_lies_under_its_hash_is_not_uploaded_again(session: boto3.Session) -> None:
    deploying.deploy(DEPLOYMENT, Sam(session), build_code, session)

    deploying.deploy(DEPLOYMENT, Sam(session), build_code, session)

    versions = session.client("s3").list_object_versions(Bucket=stack_outputs(session)["StoreBucket"])["Versions"]
    assert len(versions) == 2


def test_the_start_script_is_uploaded_last(session: boto3.Session, tmp_path: Path) -> None:
    uploaded = []

    class Store:
        def size(self, key: str) -> None:
            return None

        def upload(self, path: Path, key: str) -> None:
            uploaded.append(path.name)

    build_code(tmp_path)
    (tmp_path / "zz.txt").write_text("later in the alphabet", "utf-8")
    deploying.upload_code(Store(), tmp_path, CODE_SHA256)

    assert uploaded[-1] == "train.sh"
    assert len(uploaded) == 3


@pytest.mark.parametrize("name", ["", "Modelmill", "1st", "-mill", "mill_1", "a" * 21])
def test_a_stack_name_that_no_job_could_carry_is_refused(session: boto3.Session, name: str) -> None:
    sam = Sam(session)

    with pytest.raises(DeploymentError, match="expected 1 to 20"):
        deploying.deploy(deploying.Deployment(name, REGION, "acme", {}), sam, build_code, session)

    assert not sam.commands


def test_a_failed_sam_command_ends_in_one_line(
    session: boto3.Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    code = deploying.main(["--stack", STACK, "--region", REGION])

    assert code == 1
    assert "sam" in capsys.readouterr().err


def test_an_operator_can_make_a_key_for_any_tenant(session: boto3.Session, capsys: pytest.CaptureFixture[str]) -> None:
    deploying.deploy(DEPLOYMENT, Sam(session), build_code, session)

    code = add_key.main(["--stack", STACK, "--region", REGION, "--tenant", "umbrella"])

    assert code == 0
    assert authenticate(table_keys(session).find, capsys.readouterr().out.strip()).tenant == "umbrella"


def test_no_key_is_made_for_a_tenant_that_cannot_be_one(
    session: boto3.Session, capsys: pytest.CaptureFixture[str]
) -> None:
    deploying.deploy(DEPLOYMENT, Sam(session), build_code, session)

    code = add_key.main(["--stack", STACK, "--region", REGION, "--tenant", "../other"])

    assert code == 1
    assert "tenant" in capsys.readouterr().err


def fill(session: boto3.Session) -> None:
    """Objects with several versions, a delete marker and an unfinished upload; logs of two stacks."""
    s3, logs = session.client("s3"), session.client("logs")
    store = stack_outputs(session)["StoreBucket"]
    for body in (b"first", b"second"):
        s3.put_object(Bucket=store, Key="models/acme/m/1/model.onnx", Body=body)
    s3.delete_object(Bucket=store, Key="models/acme/m/1/model.onnx")
    s3.create_multipart_upload(Bucket=store, Key="datasets/acme/ds-1/data.parquet")
    s3.put_object(Bucket=stack_outputs(session)["UploadsBucket"], Key="acme/datasets/ds-1", Body=b"a,b")
    logs.create_log_group(logGroupName="/aws/sagemaker/TrainingJobs")
    for stream in (f"{STACK}-job-1-1/algo-1-1", "another-job-1-1/algo-1-1"):
        logs.create_log_stream(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream)


def test_destroying_leaves_nothing_of_the_stack_and_all_of_others(session: boto3.Session) -> None:
    # given a stack with data in it
    deploying.deploy(DEPLOYMENT, Sam(session), build_code, session)
    fill(session)

    # when
    done = destroying.destroy(STACK, session)

    # then
    assert session.client("s3").list_buckets()["Buckets"] == []
    assert session.client("dynamodb").list_tables()["TableNames"] == []
    assert outputs(session.client("cloudformation"), STACK) is None
    logs = session.client("logs")
    streams = logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs")["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["another-job-1-1/algo-1-1"]
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == [
        "/aws/sagemaker/TrainingJobs"
    ]
    assert f"stack {STACK} deleted" in done
    assert sum("AWS::S3::Bucket" in line for line in done) == 2


def test_destroying_can_be_repeated_after_a_failure_half_way(
    session: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a run that deleted the stack and then died
    deploying.deploy(DEPLOYMENT, Sam(session), build_code, session)

    def die(*_: object) -> bool:
        raise ConnectionError("the network went away")

    with monkeypatch.context() as patch:
        patch.setattr(destroying, "_delete", die)
        with pytest.raises(ConnectionError):
            destroying.destroy(STACK, session)
    assert session.client("s3").list_buckets()["Buckets"]

    # when
    destroying.destroy(STACK, session)

    # then
    assert session.client("s3").list_buckets()["Buckets"] == []
    assert session.client("dynamodb").list_tables()["TableNames"] == []


def test_running_jobs_of_the_stack_are_stopped() -> None:
    stopped = []

    class SageMaker:
        def get_paginator(self, _: str) -> "SageMaker":
            return self

        def paginate(self, **request: str) -> list[dict[str, Any]]:
            assert request == {"NameContains": STACK, "StatusEquals": "InProgress"}
            names = (f"{STACK}-job-1-1", f"other-{STACK}-job-1-1")
            return [{"TrainingJobSummaries": [{"TrainingJobName": name} for name in names]}]

        def stop_training_job(self, TrainingJobName: str) -> None:
            stopped.append(TrainingJobName)

    assert destroying._stop_jobs(SageMaker(), STACK) == [f"{STACK}-job-1-1"]
    assert stopped == [f"{STACK}-job-1-1"]


def test_more_versions_than_one_call_takes_are_all_deleted(session: boto3.Session) -> None:
    s3 = session.client("s3")
    s3.create_bucket(Bucket="many", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="many", VersioningConfiguration={"Status": "Enabled"})
    for number in range(1100):
        s3.put_object(Bucket="many", Key=f"key-{number % 50}", Body=b"")

    destroying.empty_bucket(s3, "many")

    assert "Versions" not in s3.list_object_versions(Bucket="many")


def test_an_unknown_stack_is_said_to_be_unknown(session: boto3.Session) -> None:
    with pytest.raises(DeploymentError, match="no stack 'mm-test' in eu-west-1"):
        destroying.destroy(STACK, session)


def test_nothing_is_touched_without_the_name_typed_again(
    session: boto3.Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deploying.deploy(DEPLOYMENT, Sam(session), build_code, session)
    monkeypatch.setattr("builtins.input", lambda _: "yes")

    code = destroying.main(["--stack", STACK, "--region", REGION])

    assert code == 1
    assert "nothing was touched" in capsys.readouterr().err
    assert stack_outputs(session)
