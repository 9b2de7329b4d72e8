"""Puts modelmill into an AWS account: builds, deploys, uploads the training code, prints the first key once.

Credentials and region come from where the AWS CLI takes them.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy.stack import DeploymentError, check_name, outputs
from infra.deploy.training_code import build, build_wheelhouse
from modelmill import ids
from modelmill.aws.boto_dynamodb import BotoDynamoDB
from modelmill.aws.dynamodb import Table
from modelmill.aws.s3 import Bucket
from modelmill.aws.tenancy import TableKeys
from modelmill.aws.training import START_SCRIPT
from modelmill.errors import InvalidName
from modelmill.tenancy.keys import Keys, create_key

type Run = Callable[[Sequence[str]], None]
type BuildCode = Callable[[Path], str]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What to deploy where; `parameters` are the template's, by name."""

    stack: str
    region: str
    tenant: str
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Deployed:
    """What the operator is told; `key` only when this deployment made the tenant's first one."""

    url: str
    key: str | None


def deploy(deployment: Deployment, run: Run, build_code: BuildCode, session: boto3.Session) -> Deployed:
    """Bring the account to what this working tree says; safe to repeat.

    Raises:
        DeploymentError: the stack's name is not usable, or the stack has no outputs afterwards.
        InvalidName: the tenant's name is not one.
    """
    cloudformation, s3 = session.client("cloudformation"), session.client("s3")
    check_name(deployment.stack)
    ids.check_name(deployment.tenant, "tenant")
    run(["sam", "build"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sha256 = build_code(folder)
        before = outputs(cloudformation, deployment.stack)
        if before:
            # Ahead of the functions that will ask for it, so that no job is refused in between.
            upload_code(Bucket(s3, before["StoreBucket"]), folder, sha256)
        run(deploy_command(deployment, sha256))
        after = outputs(cloudformation, deployment.stack)
        if after is None:
            raise DeploymentError(f"stack {deployment.stack} has no outputs; look at its events in CloudFormation")
        upload_code(Bucket(s3, after["StoreBucket"]), folder, sha256)
    keys = TableKeys(Table(BotoDynamoDB(session.client("dynamodb")), after["Table"]))
    return Deployed(after["Url"], first_key(keys, deployment.tenant))


def deploy_command(deployment: Deployment, code_sha256: str) -> list[str]:
    """The `sam deploy` that asks nothing."""
    parameters = {**deployment.parameters, "TrainingCodeHash": code_sha256}
    return [
        *("sam", "deploy", "--stack-name", deployment.stack, "--region", deployment.region),
        *("--s3-prefix", deployment.stack, "--no-confirm-changeset", "--no-fail-on-empty-changeset"),
        *("--parameter-overrides", *(f"{name}={value}" for name, value in sorted(parameters.items()))),
    ]


def upload_code(store: Bucket, folder: Path, sha256: str) -> None:
    """Put the training code under its hash; the start script goes last and stands for the whole."""
    prefix = f"training/{sha256}/"
    if store.size(prefix + START_SCRIPT) is not None:
        return
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in sorted(paths, key=lambda path: path.name == START_SCRIPT):
        store.upload(path, prefix + path.relative_to(folder).as_posix())


def first_key(keys: Keys, tenant: str) -> str | None:
    """A new admin key, or None when the tenant has keys already."""
    if keys.page(tenant, 1, None).items:
        return None
    _, secret = create_key(keys, tenant, "first key", ("admin",))
    return secret


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `make deploy`."""
    deployment = _options(arguments)
    try:
        session = boto3.Session(region_name=deployment.region)
        deployed = deploy(deployment, _run, _build_code, session)
    except (DeploymentError, InvalidName, ClientError, BotoCoreError, OSError, subprocess.CalledProcessError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    print(f"\nURL  {deployed.url}")
    if deployed.key:
        print(f"Key  {deployed.key}   (admin key of tenant {deployment.tenant!r}, shown only now)")
    return 0


def _options(arguments: list[str] | None) -> Deployment:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="modelmill", help="name of the stack (default: modelmill)")
    parser.add_argument("--region", default=boto3.Session().region_name, help="default: the AWS CLI's")
    parser.add_argument("--tenant", default="default", help="whom the first key belongs to (default: default)")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="of the template")
    options = parser.parse_args(arguments)
    if not options.region:
        parser.error("no region: set AWS_REGION or give --region")
    parameters = dict(text.partition("=")[::2] for text in options.parameter)
    return Deployment(options.stack, options.region, options.tenant, parameters)


def _run(command: Sequence[str]) -> None:
    print("+", " ".join(command), flush=True)
    subprocess.run(command, check=True)


def _build_code(folder: Path) -> str:
    with tempfile.TemporaryDirectory() as wheels:
        return build(folder, build_wheelhouse(Path(wheels)))


if __name__ == "__main__":
    sys.exit(main())
