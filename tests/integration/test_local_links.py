"""Presigned links work for what they were made for, and only as long as they were made for."""

import time
from datetime import UTC, datetime

import httpx
import pytest

KEYS = ["plain.csv", "t/d/你 好+1~(a)'&=%25?#.csv", "t//d/~e.f"]
LARGE = "large file.bin"


@pytest.fixture(scope="module")
def s3(aws):
    client = aws.client("s3")
    client.create_bucket(Bucket="links")
    for key in KEYS:
        client.put_object(Bucket="links", Key=key, Body=key.encode())
    client.put_object(Bucket="links", Key=LARGE, Body=b"x" * (5 << 20))
    return client


def link(s3, key=KEYS[0], method="get_object", seconds=60, **request):
    return s3.generate_presigned_url(method, Params={"Bucket": "links", "Key": key, **request}, ExpiresIn=seconds)


def refusal(response):
    assert response.headers["content-type"] == "application/xml"
    return response.status_code, response.text.partition("<Code>")[2].partition("</Code>")[0]


@pytest.mark.parametrize("key", [*KEYS, LARGE])
def test_a_link_gives_its_object(s3, key):
    response = httpx.get(link(s3, key))
    assert response.status_code == 200
    assert response.content == s3.get_object(Bucket="links", Key=key)["Body"].read()


def test_what_a_link_says_about_the_answer_holds(s3):
    response = httpx.get(link(s3, ResponseContentDisposition='attachment; filename="a b é.csv"'))
    assert response.status_code == 200
    assert response.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("key", [KEYS[0], KEYS[1], LARGE])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_a_wrong_signature_is_refused(s3, key, method):
    url = link(s3, key).partition("X-Amz-Signature=")[0] + "X-Amz-Signature="
    for signature in ("00", "", "é", "0" * 64):
        assert httpx.request(method, url + signature).status_code == 403
    assert refusal(httpx.get(url + "00")) == (403, "SignatureDoesNotMatch")
    assert s3.head_object(Bucket="links", Key=key)["ContentLength"] > 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("plain.csv", "large%20file.bin"),
        ("plain.csv", "no-such"),
        ("/links/", "/others/"),
        ("X-Amz-Expires=60", "X-Amz-Expires=600"),
        ("us-east-1", "eu-west-1"),
        ("/links/plain.csv?", "/links/plain.csv?versionId=1&"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%3Bdate"),
    ],
)
def test_a_changed_link_is_refused(s3, old, new):
    url = link(s3)
    assert old in url
    assert refusal(httpx.get(url.replace(old, new, 1))) == (403, "SignatureDoesNotMatch")
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert refusal(httpx.get(url.replace(old, new, 1), headers=form)) == (403, "SignatureDoesNotMatch")


def test_a_link_is_for_one_method(s3):
    assert httpx.head(link(s3)).status_code == 403
    assert refusal(httpx.put(link(s3), content=b"changed")) == (403, "SignatureDoesNotMatch")
    assert s3.get_object(Bucket="links", Key=KEYS[0])["Body"].read() == KEYS[0].encode()


@pytest.mark.parametrize("key", [KEYS[1], LARGE])
def test_a_link_expires(s3, key):
    url = link(s3, key, seconds=3)
    assert httpx.get(url).status_code == 200
    time.sleep(3.1)
    response = httpx.get(url)
    assert refusal(response) == (403, "AccessDenied")
    assert "Request has expired" in response.text
    made = url.partition("X-Amz-Date=")[2].partition("&")[0]
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    assert refusal(httpx.get(url.replace(f"Date={made}", f"Date={now}"))) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("name", ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"])
@pytest.mark.parametrize("value", [None, "x", "99999999999999999999"])
def test_a_malformed_link_is_refused(s3, name, value):
    pairs = [pair for pair in link(s3).partition("?")[2].split("&") if not pair.startswith(f"X-Amz-{name}=")]
    if value is not None:
        pairs.append(f"X-Amz-{name}={value}")
    response = httpx.get(link(s3).partition("?")[0] + "?" + "&".join(pairs))
    if name == "Credential" and value is not None:
        assert response.status_code == 200  # the secret of another key is not known
    else:
        assert response.status_code in (400, 403)
        assert refusal(response)[1] in ("AuthorizationQueryParametersError", "SignatureDoesNotMatch")


def test_an_upload_by_link_keeps_to_its_headers(s3):
    url = link(s3, "put/你 好", "put_object", ContentType="text/csv")
    assert refusal(httpx.put(url, content=b"1", headers={"content-type": "text/x"})) == (403, "SignatureDoesNotMatch")
    assert httpx.put(url, content=b"2", headers={"content-type": "text/csv"}).status_code == 200
    assert s3.get_object(Bucket="links", Key="put/你 好")["Body"].read() == b"2"
