"""Takes a stack out of an AWS account, data and all: running jobs, buckets with every version, table, key, logs."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy.stack import DeploymentError, KeptResource, check_name, kept_resources, stack_id
from modelmill.aws.training import LOG_GROUP

SAM_STACK = "aws-sam-cli-managed-default"
KEY_WAITING_DAYS = 7
GONE = frozenset({"404", "NoSuchBucket", "ResourceNotFoundException", "NotFoundException", "KMSInvalidStateException"})

type Client = Any


def destroy(stack: str, session: boto3.Session) -> list[str]:
    """Remove everything; what was removed, in words. Safe to repeat after a failure half-way.

    Raises:
        DeploymentError: there is no such stack and there was none in the last 90 days.
    """
    cloudformation = session.client("cloudformation")
    identifier = stack_id(cloudformation, check_name(stack))
    if identifier is None:
        raise DeploymentError(f"no stack {stack!r} in {session.region_name}")
    kept = kept_resources(cloudformation, identifier)
    done = [f"training job {name} stopped" for name in _stop_jobs(session.client("sagemaker"), stack)]
    for resource in kept:
        _unprotect(session, resource)
    cloudformation.delete_stack(StackName=identifier)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=identifier)
    done.append(f"stack {stack} deleted")
    done += [f"{resource.type} {resource.physical_id} deleted" for resource in kept if _delete(session, resource)]
    _delete_training_logs(session.client("logs"), stack)
    _delete_artifacts(session, stack)
    return done


def empty_bucket(s3: Client, bucket: str, prefix: str = "") -> None:
    """Delete all objects below a prefix with all their versions and delete markers, and unfinished uploads."""
    while versions := _some_versions(s3, bucket, prefix):
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
        if errors := answer.get("Errors"):
            raise DeploymentError(f"{bucket}: {len(errors)} objects could not be deleted: {errors[0]['Message']}")
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        for upload in page.get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def _some_versions(s3: Client, bucket: str, prefix: str) -> list[dict[str, str]]:
    """At most 1,000, which is what one call deletes."""
    page = s3.list_object_versions(Bucket=bucket, Prefix=prefix)
    found = (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    return [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in found]


def _stop_jobs(sagemaker: Client, stack: str) -> list[str]:
    pages = sagemaker.get_paginator("list_training_jobs").paginate(NameContains=stack, StatusEquals="InProgress")
    names = [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]
    ours = [name for name in names if name.startswith(f"{stack}-job-")]
    for name in ours:
        sagemaker.stop_training_job(TrainingJobName=name)
    return ours


def _unprotect(session: boto3.Session, resource: KeptResource) -> None:
    if resource.type == "AWS::DynamoDB::Table":
        dynamodb = session.client("dynamodb")
        _unless_gone(lambda: dynamodb.update_table(TableName=resource.physical_id, DeletionProtectionEnabled=False))


def _delete(session: boto3.Session, resource: KeptResource) -> bool:
    """Whether it was still there."""
    return _unless_gone(lambda: _DELETE[resource.type](session, resource.physical_id))


def _delete_table(session: boto3.Session, name: str) -> None:
    dynamodb = session.client("dynamodb")
    dynamodb.delete_table(TableName=name)
    dynamodb.get_waiter("table_not_exists").wait(TableName=name)


def _delete_bucket(session: boto3.Session, name: str) -> None:
    s3 = session.client("s3")
    empty_bucket(s3, name)
    s3.delete_bucket(Bucket=name)


def _delete_key(session: boto3.Session, key_id: str) -> None:
    session.client("kms").schedule_key_deletion(KeyId=key_id, PendingWindowInDays=KEY_WAITING_DAYS)


def _delete_training_logs(logs: Client, stack: str) -> None:
    """SageMaker's log group is shared by the account; only this stack's streams go."""

    def delete() -> None:
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=LOG_GROUP, logStreamNamePrefix=f"{stack}-job-"
        )
        for stream in [stream for page in pages for stream in page["logStreams"]]:
            logs.delete_log_stream(logGroupName=LOG_GROUP, logStreamName=stream["logStreamName"])

    _unless_gone(delete)


def _delete_artifacts(session: boto3.Session, stack: str) -> None:
    """What `sam deploy` uploaded; its bucket serves all SAM applications of the account and stays."""
    cloudformation = session.client("cloudformation")
    try:
        answer = cloudformation.describe_stack_resource(StackName=SAM_STACK, LogicalResourceId="SamCliSourceBucket")
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return
        raise
    empty_bucket(session.client("s3"), answer["StackResourceDetail"]["PhysicalResourceId"], f"{stack}/")


def _unless_gone(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
        return False
    return True


_DELETE = {
    "AWS::DynamoDB::Table": _delete_table,
    "AWS::S3::Bucket": _delete_bucket,
    "AWS::KMS::Key": _delete_key,
}


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `make destroy`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="modelmill", help="name of the stack (default: modelmill)")
    parser.add_argument("--region", default=boto3.Session().region_name, help="default: the AWS CLI's")
    parser.add_argument("--yes", action="store_true", help="do not ask for the stack's name again")
    options = parser.parse_args(arguments)
    if not options.region:
        parser.error("no region: set AWS_REGION or give --region")
    if not options.yes and not _agreed(options.stack, options.region):
        print("destroy: nothing was touched", file=sys.stderr)
        return 1
    try:
        for line in destroy(options.stack, boto3.Session(region_name=options.region)):
            print(line)
    except (DeploymentError, ClientError, BotoCoreError) as error:
        print(f"destroy: {error}", file=sys.stderr)
        return 1
    return 0


def _agreed(stack: str, region: str) -> bool:
    print(f"This deletes the stack {stack} in {region} with all datasets, models, keys and logs.")
    try:
        return input("Type its name to go on: ") == stack
    except EOFError:
        return False


if __name__ == "__main__":
    sys.exit(main())
