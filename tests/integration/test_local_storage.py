"""What the local AWS is told to keep it keeps, also when it is killed; uploads obey their policies."""

import os
import signal
import threading
from pathlib import Path

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


# ---------------------------------------------------------------- presigned forms


@pytest.fixture(scope="module")
def post(aws):
    """A form for one key with 10 to 100 bytes; the caller may change it."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="uploads")

    def send(conditions=(), fields=None, drop=(), seconds=60, body=b"x" * 50, key="t/d/你 好+1", change=None):
        form = s3.generate_presigned_post(
            "uploads",
            key,
            Fields=fields,
            Conditions=[["content-length-range", 10, 100], *conditions],
            ExpiresIn=seconds,
        )
        data = {name: value for name, value in (form["fields"] | (change or {})).items() if name not in drop}
        return httpx.post(form["url"], data=data, files={"file": ("data.csv", body)})

    return send


def test_an_upload_that_keeps_to_its_policy_is_stored(aws, post):
    response = post(fields={"Content-Type": "text/csv"}, conditions=[{"Content-Type": "text/csv"}])
    assert (response.status_code, response.content) == (204, b"")
    found = aws.client("s3").get_object(Bucket="uploads", Key="t/d/你 好+1")
    assert (found["Body"].read(), found["ContentType"]) == (b"x" * 50, "text/csv")
    assert found["ETag"] == response.headers["etag"]


def test_a_starts_with_condition_leaves_the_rest_free(post):
    condition = ["starts-with", "$x-amz-meta-name", "a"]
    assert post(conditions=[condition], fields={"x-amz-meta-name": "abc"}).status_code == 204
    assert post(conditions=[condition], fields={"x-amz-meta-name": "bc"}).status_code == 403
    created = post(conditions=[{"success_action_status": "201"}], fields={"success_action_status": "201"})
    assert created.status_code == 201
    assert "<Key>t/d/你 好+1</Key>" in created.text


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"body": b"x" * 101}, 400, "EntityTooLarge"),
        ({"body": b"x" * 9}, 400, "EntityTooSmall"),
        ({"change": {"key": "other/key"}}, 403, "AccessDenied"),
        ({"change": {"key": "t/d/${filename}"}}, 403, "AccessDenied"),
        ({"change": {"x-amz-meta-extra": "1"}}, 403, "AccessDenied"),
        ({"change": {"policy": "bm90IGpzb24="}}, 403, "SignatureDoesNotMatch"),
        ({"change": {"policy": "bm90IGpzb24=", "x-amz-credential": "other"}}, 400, "InvalidPolicyDocument"),
        ({"drop": ["policy"]}, 403, "AccessDenied"),
        ({"drop": ["key"]}, 400, "InvalidArgument"),
        ({"drop": ["x-amz-date"]}, 403, "AccessDenied"),
        ({"seconds": -1}, 403, "AccessDenied"),
    ],
)
def test_an_upload_against_its_policy_is_refused_and_nothing_is_stored(aws, post, given, status, code):
    response = post(**given | {"key": "refused"})
    assert response.status_code == status
    assert f"<Code>{code}</Code>" in response.text
    assert aws.client("s3").list_objects_v2(Bucket="uploads", Prefix="refused")["KeyCount"] == 0


def test_a_form_for_another_bucket_is_refused(aws, post):
    aws.client("s3").create_bucket(Bucket="others")
    form = aws.client("s3").generate_presigned_post("uploads", "k")
    response = httpx.post(f"{aws.endpoint}/others", data=form["fields"], files={"file": b"x"})
    assert response.status_code == 403
    assert httpx.post(f"{aws.endpoint}/no-such", data=form["fields"], files={"file": b"x"}).status_code == 404


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b'--b\r\ncontent-disposition: form-data; name="key"\r\n\r\nk\r\n--b--\r\n'], ids=range(3)
)
def test_a_form_that_is_none_gets_400(aws, body):
    aws.client("s3").create_bucket(Bucket="malformed")
    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = httpx.post(f"{aws.endpoint}/malformed", content=body, headers=headers)
    assert response.status_code == 400


def test_a_large_upload_costs_no_memory(aws, post):
    def peak() -> int:
        status = Path(f"/proc/{aws.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))

    form = aws.client("s3").generate_presigned_post("uploads", "huge")
    before = peak()
    assert (
        httpx.post(form["url"], data=form["fields"], files={"file": b"y" * 120_000_000}, timeout=60).status_code == 204
    )
    assert peak() - before < 60_000
    assert aws.client("s3").head_object(Bucket="uploads", Key="huge")["ContentLength"] == 120_000_000
    aws.client("s3").delete_object(Bucket="uploads", Key="huge")


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
