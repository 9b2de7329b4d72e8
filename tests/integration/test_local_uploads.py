"""Uploads by presigned form obey their policy, whatever their size."""

from pathlib import Path

import httpx
import pytest


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
