"""What a fresh stack needs before it can be used: published training code and a first key."""

import importlib.util
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from modelmill_local.template import Resource
from modelmill_local.workspace import StartError, Workspace, new_secret

TENANT = "default"


def build_training_code(root: Path, folder: Path) -> str | None:
    """Collect what a training job runs into `folder`; its hash, or None where the project trains nothing."""
    path = root / "infra" / "deploy" / "training_code.py"
    if not path.is_file():
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return str(_load(path).build(folder, None))


def publish_training_code(folder: Path, sha256: str, bucket: str, s3: Any) -> None:
    """Upload the training code under its hash, unless it is there already."""
    prefix = f"training/{sha256}/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    present = {found["Key"] for page in pages for found in page.get("Contents", [])}
    for path in sorted(folder.rglob("*")):
        key = prefix + path.relative_to(folder).as_posix()
        if path.is_file() and key not in present:
            s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


def ensure_key(table: str, workspace: Workspace, dynamodb: Any) -> str:
    """The first key, with a row of its own; a new one in place of a kept one that was revoked. Raises: StartError."""
    from modelmill.aws.boto_dynamodb import BotoDynamoDB
    from modelmill.aws.dynamodb import Table
    from modelmill.aws.tenancy import TableKeys
    from modelmill.errors import Conflict
    from modelmill.tenancy import keys

    rows, secret = TableKeys(Table(BotoDynamoDB(dynamodb), table)), workspace.secret()
    try:
        keys.ensure_key(rows, TENANT, secret)
    except Conflict as error:
        if workspace.given:
            raise StartError(f"the key in MODELMILL_API_KEY cannot be used: {error}") from error
        secret = new_secret()
        keys.ensure_key(rows, TENANT, secret)
    return secret


def expire_objects(bucket: Resource, s3: Any) -> None:
    """Do once what S3's lifecycle rules do daily: delete what is older than a rule of the bucket allows."""
    for rule in bucket.properties.get("LifecycleConfiguration", {}).get("Rules", []):
        if "ExpirationInDays" not in rule:
            continue
        oldest = datetime.now(UTC) - timedelta(days=int(rule["ExpirationInDays"]))
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket.name, Prefix=rule.get("Prefix", ""))
        for found in [found for page in pages for found in page.get("Versions", [])]:
            if found["LastModified"] < oldest:
                s3.delete_object(Bucket=bucket.name, Key=found["Key"], VersionId=found["VersionId"])


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"modelmill_local_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise StartError(f"{path} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
