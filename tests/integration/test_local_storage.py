"""What the local AWS is told to keep it keeps, also when it is killed."""

import os
import signal
import threading

import httpx
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from modelmill_local.aws_process import AwsProcess
from tests.local_parts import local_aws

TABLE = {
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def make_resources(aws: AwsProcess) -> None:
    """What the template's resources are to a real start; then the data comes back."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="plain")
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    aws.client("dynamodb").create_table(TableName="rows", **TABLE)
    aws.control("POST", "restore")


def key(pk: str, sk: int = 0) -> dict:
    return {"pk": {"S": pk}, "sk": {"S": str(sk)}}


class Writer(threading.Thread):
    """Writes until the local AWS is gone, and remembers what was acknowledged."""

    def __init__(self, aws: AwsProcess, number: int) -> None:
        super().__init__()
        self.aws = aws
        self.name_ = f"w{number}"
        self.bucket = ("plain", "versioned")[number % 2]
        self.objects: dict[str, bytes] = {}
        self.rows: dict[int, str] = {}

    def run(self) -> None:
        s3, dynamodb = self.aws.client("s3"), self.aws.client("dynamodb")
        try:
            for i in range(1_000_000):
                body = os.urandom(200_000 if i % 4 == 0 else 50)
                name = f"{self.name_}/{i}"
                s3.put_object(Bucket=self.bucket, Key=name, Body=body)
                self.objects[name] = body
                dynamodb.put_item(TableName="rows", Item=key(self.name_, i) | {"list": {"L": [{"N": "1"}]}})
                self.rows[i] = "put"
                update = {"TableName": "rows", "Key": key(self.name_, i), "UpdateExpression": "SET #v = :v"}
                update |= {
                    "ExpressionAttributeNames": {"#v": "v"},
                    "ExpressionAttributeValues": {":v": {"S": "updated"}},
                }
                put = {"TableName": "rows", "Item": key(f"{self.name_}-beside", i)}
                dynamodb.transact_write_items(TransactItems=[{"Update": update}, {"Put": put}])
                self.rows[i] = "updated"
        except (BotoCoreError, ClientError):
            return


def test_nothing_acknowledged_is_lost_when_it_is_killed(tmp_path):
    with local_aws(tmp_path) as aws:
        make_resources(aws)
        s3, dynamodb = aws.client("s3"), aws.client("dynamodb")
        s3.put_object(Bucket="versioned", Key="v", Body=b"one")
        second = s3.put_object(Bucket="versioned", Key="v", Body=b"two", ContentType="text/x", Metadata={"a": "b"})
        s3.put_object(Bucket="versioned", Key="gone", Body=b"x")
        s3.delete_object(Bucket="versioned", Key="gone")
        s3.put_object(Bucket="plain", Key="removed", Body=b"x" * 100_000)
        s3.delete_objects(Bucket="plain", Delete={"Objects": [{"Key": "removed"}]})
        (tmp_path / "large").write_bytes(os.urandom(20_000_000))
        s3.upload_file(str(tmp_path / "large"), "plain", "large")
        s3.copy_object(Bucket="plain", Key="copy é", CopySource={"Bucket": "plain", "Key": "large"})
        dynamodb.put_item(TableName="rows", Item=key("deleted"))
        dynamodb.delete_item(TableName="rows", Key=key("deleted"))
        writers = [Writer(aws, number) for number in range(6)]
        for writer in writers:
            writer.start()
        writers[0].join(2)
        os.kill(aws.process.pid, signal.SIGKILL)
        for writer in writers:
            writer.join()
    assert sum(len(writer.rows) for writer in writers) > 20

    with local_aws(tmp_path) as aws:
        make_resources(aws)
        s3, dynamodb = aws.client("s3"), aws.client("dynamodb")
        for writer in writers:
            for name, body in writer.objects.items():
                assert s3.get_object(Bucket=writer.bucket, Key=name)["Body"].read() == body
            for i, state in writer.rows.items():
                row = dynamodb.get_item(TableName="rows", Key=key(writer.name_, i))["Item"]
                assert row["list"] == {"L": [{"N": "1"}]}
                assert state == "put" or row["v"] == {"S": "updated"}
                assert state == "put" or "Item" in dynamodb.get_item(
                    TableName="rows", Key=key(f"{writer.name_}-beside", i)
                )
        found = s3.get_object(Bucket="versioned", Key="v")
        assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (b"two", {"a": "b"}, "text/x")
        assert (found["VersionId"], found["ETag"]) == (second["VersionId"], second["ETag"])
        assert len(s3.list_object_versions(Bucket="versioned", Prefix="v")["Versions"]) == 2
        assert len(s3.list_object_versions(Bucket="versioned", Prefix="gone")["DeleteMarkers"]) == 1
        assert s3.list_objects_v2(Bucket="plain", Prefix="removed")["KeyCount"] == 0
        assert "Item" not in dynamodb.get_item(TableName="rows", Key=key("deleted"))
        large = (tmp_path / "large").read_bytes()
        assert s3.get_object(Bucket="plain", Key="copy é")["Body"].read() == large
        s3.download_file("plain", "large", str(tmp_path / "again"))
        assert (tmp_path / "again").read_bytes() == large


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=5-9", 5, 10), ("bytes=-7", 4_999_993, 5_000_000), ("bytes=4999990-", 4_999_990, None)],
)
def test_ranges_of_large_objects(aws, asked, start, end):
    body = bytes(range(250)) * 20_000
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="ranges")
    s3.put_object(Bucket="ranges", Key="large", Body=body)
    found = s3.get_object(Bucket="ranges", Key="large", Range=asked)
    assert found["Body"].read() == body[start:end]
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(Bucket="ranges", Key="large", Range="bytes=6000000-")


def test_files_of_deleted_objects_are_deleted(aws, tmp_path):
    with local_aws(tmp_path) as own:
        s3 = own.client("s3")
        s3.create_bucket(Bucket="plain")
        folder = tmp_path / "state" / "objects"
        for _ in range(3):
            s3.put_object(Bucket="plain", Key="a", Body=b"x" * 100_000)
        assert len(list(folder.iterdir())) == 1
        (tmp_path / "large").write_bytes(b"x" * 20_000_000)
        s3.upload_file(str(tmp_path / "large"), "plain", "a")
        assert len(list(folder.iterdir())) == 1
        s3.delete_object(Bucket="plain", Key="a")
        assert list(folder.iterdir()) == []


def test_control_refuses_what_it_does_not_know(aws):
    assert httpx.get(f"{aws.endpoint}/_local/other").status_code == 404
    assert httpx.post(f"{aws.endpoint}/_local/faults", content=b'{"fail": 1}').status_code == 400
    assert httpx.get(f"{aws.endpoint}/_local/health").status_code == 200


def test_a_large_object_is_stored_whole_and_conditions_hold(aws):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="large-puts")
    body = bytes(range(256)) * 40_000
    made = s3.put_object(Bucket="large-puts", Key="a", Body=body, IfNoneMatch="*", ContentType="text/x")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="large-puts", Key="a", Body=body[::-1], IfNoneMatch="*")
    s3.put_object(Bucket="large-puts", Key="small", Body=b"small")
    found = s3.get_object(Bucket="large-puts", Key="a")
    assert (found["Body"].read(), found["ContentType"], found["ETag"]) == (body, "text/x", made["ETag"])
    assert s3.get_object(Bucket="large-puts", Key="small")["Body"].read() == b"small"
