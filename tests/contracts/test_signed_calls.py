"""Requests without boto3 when something is wrong: lost connections, time-outs, errors, credentials that expire."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import trustme

from modelmill.aws import http_connection, signed
from modelmill.aws.credentials import CurrentCredentials
from modelmill.aws.http_connection import tls_context
from modelmill.aws.refusals import Refused
from modelmill.aws.signed import DynamoDB, SignedAws, StoredObjects
from modelmill.errors import Unavailable
from tests.signed_setup import ENVIRONMENT, Hangup, ScriptedServer, answer, scripted

GOOD = answer(200, b'{"ok": true}')
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_SUCH_KEY = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed, "LONGEST_PAUSE_SECONDS", 0.0)


def current() -> CurrentCredentials:
    return CurrentCredentials(ENVIRONMENT)


def dynamodb(server: ScriptedServer) -> DynamoDB:
    return DynamoDB(server.calls(current()))


def objects(server: ScriptedServer) -> StoredObjects:
    return StoredObjects(server.calls(current(), "s3"), "/bucket/")


def failure(code: str) -> bytes:
    return b'{"__type": "com.amazonaws.dynamodb.v20120810#%s", "message": "no"}' % code.encode()


# ---------------------------------------------------------------- connections


def test_one_connection_carries_many_requests() -> None:
    chunked = CHUNKED + b'5;x=y\r\n{"ok"\r\n7\r\n: true}\r\n0\r\nContent-Length: 9\r\n\r\n'
    with scripted(GOOD, chunked, GOOD) as server:
        client = dynamodb(server)

        assert [client("GetItem", {}) for _ in range(3)] == [{"ok": True}] * 3
        assert server.connections == 1


def test_requests_say_what_they_are() -> None:
    with scripted(GOOD) as server:
        dynamodb(server)("GetItem", {"TableName": "t"})

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST / HTTP/1.1"
    assert f"host: 127.0.0.1:{server.port}" in lines
    assert "x-amz-target: DynamoDB_20120810.GetItem" in lines
    assert body == b'{"TableName":"t"}'


def test_a_connection_that_the_server_dropped_is_replaced_before_anything_is_sent() -> None:
    with scripted(GOOD, GOOD) as server:
        client = dynamodb(server)
        client("GetItem", {})
        server.drop_connections()
        time.sleep(0.05)

        assert client("GetItem", {}) == {"ok": True}
        assert (len(server.requests), server.connections) == (2, 2)


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(GOOD, GOOD) as server:
        client = dynamodb(server)
        client("GetItem", {})
        monkeypatch.setattr(http_connection, "IDLE_SECONDS", -1.0)

        client("GetItem", {})

        assert server.connections == 2


def test_an_answer_that_never_comes_is_asked_for_once_more() -> None:
    with scripted(Hangup, GOOD) as server:
        assert dynamodb(server)("GetItem", {}) == {"ok": True}
        assert server.connections == 2


@pytest.mark.parametrize(
    "broken",
    [
        Hangup,
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 20x OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 12",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: x\r\n" % n for n in range(200)) + b"\r\n",
        CHUNKED + b"5\r\nab",
        CHUNKED + b"nope\r\n",
        CHUNKED + b"2\r\nabcd\r\n",
    ],
    ids=lambda value: "hangup" if value is Hangup else repr(value[:60]),
)
def test_what_is_not_a_whole_answer_is_unavailable_after_two_attempts(broken: bytes) -> None:
    with scripted(broken, broken, GOOD) as server, pytest.raises(Unavailable) as error:
        dynamodb(server)("GetItem", {})

    assert error.value.retry_after
    assert len(server.requests) == 2


def test_interim_answers_are_passed_over_and_a_body_may_end_with_the_connection() -> None:
    with scripted(b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{"ok": true}', GOOD) as server:
        client = dynamodb(server)

        assert [client("GetItem", {}), client("GetItem", {})] == [{"ok": True}] * 2
        assert server.connections == 2


def test_a_server_that_is_silent_is_unavailable_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed, "READ_SECONDS", 0.1)

    def late() -> bytes:
        time.sleep(0.5)
        return GOOD

    with scripted(late, late) as server:
        started = time.monotonic()
        with pytest.raises(Unavailable):
            dynamodb(server)("GetItem", {})
        assert time.monotonic() - started < 0.5


def test_nobody_there_is_unavailable() -> None:
    with scripted() as server:
        pass

    with pytest.raises(Unavailable, match="dynamodb cannot be reached"):
        dynamodb(server)("GetItem", {})


def test_a_server_that_does_not_speak_tls_is_unavailable() -> None:
    with scripted(Hangup, Hangup) as server:
        aws = SignedAws(ENVIRONMENT | {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{server.port}"})
        with pytest.raises(Unavailable):
            aws.dynamodb()("GetItem", {})
        aws.close()


def certified(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str) -> ssl.SSLContext:
    """What a server with a certificate for this name needs; this process trusts who signed it."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
    tls_context.cache_clear()
    return context


@pytest.fixture
def _own_trust() -> Iterator[None]:
    yield
    tls_context.cache_clear()


@pytest.mark.usefixtures("_own_trust")
def test_calls_go_over_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tls = certified(monkeypatch, tmp_path, "127.0.0.1")
    with scripted(answer(200, b"{}"), answer(200, b'{"a": 1}'), tls=tls) as server:
        calls = dynamodb(server)

        assert [calls("GetItem", {}), calls("GetItem", {})] == [{}, {"a": 1}]
        assert server.connections == 1


@pytest.mark.usefixtures("_own_trust")
def test_a_certificate_for_another_name_is_not_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tls = certified(monkeypatch, tmp_path, "elsewhere.example")
    with scripted(answer(200, b"{}"), tls=tls) as server:
        calls = dynamodb(server)
        with pytest.raises(Unavailable):
            calls("GetItem", {})

    assert server.requests == []


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "busy",
    [
        answer(400, failure("ThrottlingException")),
        answer(400, failure("ProvisionedThroughputExceededException")),
        answer(500, failure("InternalServerError")),
        answer(503, b"<html>no JSON here</html>"),
        answer(502),
        answer(200, b"<html>no JSON here</html>"),
        answer(400, failure("ExpiredTokenException")),
        answer(400, failure("InvalidSignatureException"), Date="Mon, 23 Nov 2015 10:00:00 GMT"),
    ],
)
def test_what_may_pass_later_is_unavailable(busy: bytes) -> None:
    with scripted(busy, busy) as server, pytest.raises(Unavailable) as error:
        dynamodb(server)("GetItem", {})

    assert error.value.retry_after


def test_what_passes_the_second_time_is_an_answer() -> None:
    with scripted(answer(400, failure("ThrottlingException")), GOOD) as server:
        assert dynamodb(server)("GetItem", {}) == {"ok": True}
        assert server.connections == 1


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (answer(400, failure("ValidationException")), "ValidationException"),
        (answer(400, failure("InvalidSignatureException")), "InvalidSignatureException"),
        (answer(400, b"[]"), "400"),
        (answer(403, b"not JSON"), "403"),
        (answer(413), "413"),
    ],
)
def test_other_errors_are_refusals_and_asked_once(refusal: bytes, code: str) -> None:
    with scripted(refusal, GOOD) as server, pytest.raises(Refused) as error:
        dynamodb(server)("GetItem", {})

    assert error.value.code == code
    assert len(server.requests) == 1


@pytest.mark.parametrize(("status", "code"), [(301, "PermanentRedirect"), (307, "TemporaryRedirect")])
def test_a_bucket_of_another_region_is_a_refusal_and_nobody_is_followed(status: int, code: str) -> None:
    with scripted(GOOD) as elsewhere:
        body = f"<Error><Code>{code}</Code><Endpoint>x</Endpoint></Error>".encode()
        with scripted(answer(status, body, Location=elsewhere.url)) as server, pytest.raises(Refused) as error:
            list(objects(server).pieces("key"))

    assert error.value.code == code
    assert not elsewhere.requests


@pytest.mark.parametrize(
    ("answered", "raised"),
    [
        (answer(404, NO_SUCH_KEY), FileNotFoundError),
        (answer(404), FileNotFoundError),
        (answer(404, b"<Error><Code>NoSuchBucket</Code></Error>"), Refused),
        (answer(403, b"<Error><Code>AccessDenied</Code></Error>"), Refused),
        (answer(403, b"<Error><Code>RequestTimeTooSkewed</Code></Error>"), Unavailable),
        (answer(503, b"<Error><Code>SlowDown</Code></Error>"), Unavailable),
        (answer(200, b"short").replace(b"Content-Length: 5", b"Connection: close\r\nContent-Length: 9"), Unavailable),
    ],
)
def test_objects_that_do_not_come(answered: bytes, raised: type[Exception]) -> None:
    with scripted(answered, answered) as server, pytest.raises(raised):
        list(objects(server).pieces("a/key"))


# ---------------------------------------------------------------- credentials


class Source:
    """What Lambda's own address for credentials answers, and a clock."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def good(self, name: str, seconds: float) -> bytes:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now + seconds))
        names = ("AccessKeyId", "SecretAccessKey", "Token")
        return answer(200, orjson.dumps(dict.fromkeys(names, name) | {"Expiration": at}))


@pytest.fixture
def source() -> Source:
    return Source()


def fetched(server: ScriptedServer, source: Source, **more: str) -> CurrentCredentials:
    environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/v1/creds?a=b"} | more
    return CurrentCredentials(environment, lambda: source.now)


def test_credentials_of_the_environment_go_first_and_are_read_anew() -> None:
    environment = dict(ENVIRONMENT) | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/"}
    credentials = CurrentCredentials(environment)
    assert credentials()[:3] == ("test", "test", None)

    environment["AWS_SESSION_TOKEN"] = "token"

    assert credentials().token == "token"


def test_credentials_are_fetched_once_and_renewed_before_they_expire(source: Source) -> None:
    with scripted(source.good("first", 3600), source.good("second", 7200)) as server:
        credentials = fetched(server, source, AWS_CONTAINER_AUTHORIZATION_TOKEN="secret")

        seen = []
        for seconds in (0, 3000, 3400):
            source.now = 1_795_000_000.0 + seconds
            seen.append(credentials().access_key)

    assert seen == ["first", "first", "second"]
    assert server.requests[0].startswith(b"GET /v1/creds?a=b HTTP/1.1\r\n")
    assert b"authorization: secret\r\n" in server.requests[0]


def test_a_token_in_a_file_is_read_each_time(source: Source, tmp_path: Path) -> None:
    file = tmp_path / "token"
    with scripted(source.good("a", 0), source.good("b", 0)) as server:
        credentials = fetched(server, source, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(file))
        for token in ("one", "two"):
            file.write_text(token)
            credentials()
            source.now += 60

    assert [b"authorization: one" in server.requests[0], b"authorization: two" in server.requests[1]] == [True, True]


def test_while_they_are_valid_a_failed_renewal_does_no_harm(source: Source) -> None:
    with scripted(source.good("first", 3600), answer(500), Hangup) as server:
        credentials = fetched(server, source)
        credentials()
        source.now += 3400
        assert credentials().access_key == "first"
        assert credentials().access_key == "first"
        assert len(server.requests) == 2

        source.now += 300
        with pytest.raises(Unavailable):
            credentials()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c"}'])
def test_what_are_no_credentials_are_unavailable(source: Source, body: bytes) -> None:
    with scripted(answer(200, body)) as server, pytest.raises(Unavailable):
        fetched(server, source)()


def test_credentials_that_were_refused_are_fetched_again(source: Source) -> None:
    with scripted(source.good("old", 3600), source.good("new", 3600)) as origin:
        credentials = fetched(origin, source)
        with scripted(answer(400, failure("ExpiredTokenException")), GOOD) as server:
            assert DynamoDB(server.calls(credentials))("GetItem", {}) == {"ok": True}

    assert [b"Credential=old" in server.requests[0], b"Credential=new" in server.requests[1]] == [True, True]


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/",
        "http://10.0.0.1/",
        "http://127.0.0.1.example.com/",
        "http://169.254.example.com/x",
        "ftp://localhost/",
    ],
)
def test_nobody_else_is_asked_without_tls(address: str) -> None:
    with pytest.raises(ValueError, match=r"TLS|expected http"):
        CurrentCredentials({"AWS_CONTAINER_CREDENTIALS_FULL_URI": address})()


def test_no_credentials_at_all_says_what_to_set() -> None:
    with pytest.raises(ValueError, match="AWS_ACCESS_KEY_ID"):
        CurrentCredentials({})()


def test_a_token_with_a_line_break_is_refused() -> None:
    environment = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\r\nx: y",
    }
    with pytest.raises(ValueError, match="one line"):
        CurrentCredentials(environment)()
