"""The local cloud's AWS with a table, a bucket and the reference models registered in them, as `admit` leaves them."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.plane import SECRET, STARTED, TENANT
from benchmarks.servers import bundle
from modelmill.aws.boto_dynamodb import BotoDynamoDB
from modelmill.aws.dynamodb import Table
from modelmill.aws.layout import bundle_prefix
from modelmill.aws.registry import move_writes, version_put
from modelmill.aws.tenancy import TableKeys
from modelmill.models.manifest import MANIFEST_FILE
from modelmill.models.promotion import plan_move
from modelmill.models.registry import LIVE, ModelVersion
from modelmill.tenancy.keys import ensure_key
from modelmill_local.aws_process import CREDENTIALS, AwsProcess, listen
from modelmill_local.intrinsics import REGION
from modelmill_local.workspace import Workspace

TABLE, STORE = "bench", "bench-store"


@contextmanager
def registered(models: list[str]) -> Iterator[dict[str, str]]:
    """The variables of `infer` for a local AWS in which each model is live under its own name."""
    with TemporaryDirectory() as name:
        workspace = Workspace(Path(name))
        workspace.open()
        aws = AwsProcess(listen("127.0.0.1", 0, "local AWS", "--port"), "127.0.0.1", workspace)
        try:
            _create(aws)
            table = Table(BotoDynamoDB(aws.client("dynamodb")), TABLE)
            ensure_key(TableKeys(table), TENANT, SECRET)
            for model in models:
                _register(table, aws.client("s3"), model)
            yield CREDENTIALS | {
                "AWS_ENDPOINT_URL": aws.endpoint,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_REGION": REGION,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
                "MODELMILL_TABLE": TABLE,
                "MODELMILL_STORE_BUCKET": STORE,
                "MODELMILL_MAX_MONTHLY_PREDICTIONS": "0",
            }
        finally:
            aws.stop()
            workspace.close()


def _create(aws: AwsProcess) -> None:
    keys = [("pk", "HASH"), ("sk", "RANGE")]
    aws.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
    )
    aws.client("s3").create_bucket(Bucket=STORE)


def _register(table: Table, s3: Any, model: str) -> None:
    folder = bundle(model)
    for path in folder.iterdir():
        s3.put_object(Bucket=STORE, Key=bundle_prefix(TENANT, model, 1) + path.name, Body=path.read_bytes())
    pin = hashlib.sha256((folder / MANIFEST_FILE).read_bytes()).hexdigest()
    table.write(version_put(ModelVersion(TENANT, model, 1, "ready", STARTED, manifest_sha256=pin)))
    first = plan_move(None, LIVE, 1, "first", "benchmark", "benchmark")
    table.transact(move_writes(TENANT, model, first))
