"""What is known about a deployed stack."""

import re
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
# RetainExceptOnCreate in the template: CloudFormation leaves these behind.
KEPT_TYPES = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key")


class DeploymentError(Exception):
    """Something an operator has to put right; the message says what."""


@dataclass(frozen=True, slots=True)
class KeptResource:
    """A resource that outlives its stack."""

    type: str
    physical_id: str


def check_name(name: str) -> str:
    """The name itself.

    Raises:
        DeploymentError: SageMaker job names and their lower-case ARNs start with it, so it is short and lower case.
    """
    if not NAME.fullmatch(name):
        raise DeploymentError(f"stack name {name!r}: expected 1 to 20 of a-z, 0-9 and '-', starting with a letter")
    return name


def outputs(cloudformation: Any, name: str) -> dict[str, str] | None:
    """The outputs of the stack, or None when there is no such stack, or none that ever worked."""
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())} or None


def stack_id(cloudformation: Any, name: str) -> str | None:
    """The id of the stack, or of the last one of that name that was deleted: what it kept may still be there."""
    found: list[dict[str, Any]] = []
    for page in cloudformation.get_paginator("list_stacks").paginate():
        found += [stack for stack in page["StackSummaries"] if stack["StackName"] == name]
    found.sort(key=lambda stack: (stack["StackStatus"] != "DELETE_COMPLETE", stack["CreationTime"]))
    return str(found[-1]["StackId"]) if found else None


def kept_resources(cloudformation: Any, identifier: str) -> list[KeptResource]:
    """Table, buckets and key of a stack, deleted or not."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=identifier)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return [
        KeptResource(resource["ResourceType"], resource["PhysicalResourceId"])
        for resource in resources
        if resource.get("ResourceType") in KEPT_TYPES and resource.get("PhysicalResourceId")
    ]
