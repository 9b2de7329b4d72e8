"""Makes an admin key for a tenant of a deployed stack: a new tenant's first one, or one in place of a lost one."""

import argparse
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy.stack import DeploymentError, outputs
from modelmill.aws.boto_dynamodb import BotoDynamoDB
from modelmill.aws.dynamodb import Table
from modelmill.aws.tenancy import TableKeys
from modelmill.errors import InvalidName
from modelmill.ids import check_name
from modelmill.tenancy.keys import create_key


def add_key(stack: str, tenant: str, session: boto3.Session) -> str:
    """The new key's secret, which is not kept anywhere.

    Raises:
        DeploymentError: there is no such stack.
        InvalidName: the tenant's name is not one.
    """
    found = outputs(session.client("cloudformation"), stack)
    if found is None:
        raise DeploymentError(f"no stack {stack!r} in {session.region_name}")
    keys = TableKeys(Table(BotoDynamoDB(session.client("dynamodb")), found["Table"]))
    _, secret = create_key(keys, check_name(tenant, "tenant"), "made by an operator", ("admin",))
    return secret


def main(arguments: list[str] | None = None) -> int:
    """Print the key."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="modelmill", help="name of the stack (default: modelmill)")
    parser.add_argument("--region", default=boto3.Session().region_name, help="default: the AWS CLI's")
    parser.add_argument("--tenant", default="default", help="whom the key belongs to (default: default)")
    options = parser.parse_args(arguments)
    if not options.region:
        parser.error("no region: set AWS_REGION or give --region")
    try:
        print(add_key(options.stack, options.tenant, boto3.Session(region_name=options.region)))
    except (DeploymentError, InvalidName, ClientError, BotoCoreError) as error:
        print(f"add_key: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
