"""DynamoDB and S3 without boto3, whose import and clients take longer than all else of a cold start together.

Only what serving needs: calls to DynamoDB, and reading objects.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from modelmill.aws.credentials import CurrentCredentials
from modelmill.aws.endpoints import bucket_endpoint, dynamodb_endpoint
from modelmill.aws.http_connection import Connection, Origin, Response
from modelmill.aws.refusals import Refused, busy, is_transient, unreachable
from modelmill.aws.signature import Scope, Unsigned, encode_path, signed_headers
from modelmill.errors import Unavailable

# As `clients.prompt_client`: a call gives up well within the gateway's 30 seconds.
CONNECT_SECONDS = 1.0
READ_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 0.1

# What another attempt may mend: with new credentials, or once the machine's clock has been set right.
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
SKEWED = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
# DynamoDB has no code of its own for a clock that is wrong; AWS allows five minutes.
SIGNATURE_REFUSED = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch"})
ALLOWED_SKEW_SECONDS = 240
MISSING = frozenset({"404", "NoSuchKey"})


class SignedCalls:
    """Signed requests to one service, over one connection, with two attempts."""

    def __init__(self, name: str, origin: Origin, scope: Scope, credentials: CurrentCredentials) -> None:
        """`name` tells the service in messages."""
        self.name = name
        self._scope = scope
        self._credentials = credentials
        self._connection = Connection(origin, CONNECT_SECONDS, READ_SECONDS)

    def __call__[Answer](self, request: Unsigned, take: Callable[[Response], Answer]) -> Answer:
        """What `take` makes of the answer; `host` need not be among the request's headers.

        Raises:
            Unavailable: the service is out of reach, busy or broken.
            Refused: everything else that it answers with an error.
        """
        try:
            return self._once(request, take)
        except Unavailable:
            time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))
        return self._once(request, take)

    def close(self) -> None:
        """Let go of the connection; the next request opens another."""
        self._connection.close()

    def _once[Answer](self, request: Unsigned, take: Callable[[Response], Answer]) -> Answer:
        to_host = request._replace(headers=request.headers | {"host": self._connection.origin.authority})
        headers = signed_headers(to_host, self._scope, self._credentials(), time.time())
        try:
            response = self._connection.send(request.method, request.path, headers, request.body)
            if response.status == 200:
                return take(response)
            content = response.read()
        except OSError as error:
            self.close()
            raise unreachable(self.name) from error
        raise self._refused(response, content)

    def _refused(self, response: Response, content: bytes) -> Exception:
        code, answer = _error(response.status, content)
        refused = Refused(self.name, code, response.status, answer)
        if code in EXPIRED:
            self._credentials.forget()
        skewed = code in SKEWED or (code in SIGNATURE_REFUSED and _is_skewed(response.headers.get("date", "")))
        if skewed or code in EXPIRED or is_transient(code, response.status):
            unavailable = busy(self.name)
            unavailable.__cause__ = refused
            return unavailable
        return refused


class DynamoDB:
    """Implements `dynamodb.Calls`."""

    def __init__(self, calls: SignedCalls) -> None:
        self._calls = calls

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """See `Calls`."""
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"DynamoDB_20120810.{operation}"}
        content = self._calls(Unsigned("POST", "/", headers, orjson.dumps(request)), Response.read)
        try:
            answer: dict[str, Any] = orjson.loads(content)
        except ValueError as error:
            raise busy(self._calls.name) from error
        return answer


class StoredObjects:
    """The objects of one bucket, to be read."""

    def __init__(self, calls: SignedCalls, prefix: str) -> None:
        """`prefix` of the path before a key: `/`, or `/bucket/` where the host does not name the bucket."""
        self._calls = calls
        self._prefix = prefix

    def pieces(self, key: str) -> Iterator[bytes]:
        """An object's bytes, piece by piece.

        Raises:
            FileNotFoundError: there is none.
            Unavailable: S3 is out of reach, busy or broken.
        """
        try:
            response = self._calls(Unsigned("GET", self._prefix + encode_path(key), {}), _untouched)
        except Refused as error:
            if error.code in MISSING:
                raise FileNotFoundError(key.rpartition("/")[2]) from error
            raise
        try:
            yield from response.pieces()
        except OSError as error:
            self._calls.close()
            raise unreachable(self._calls.name) from error


class SignedAws:
    """The services as a function's environment names them: region, credentials, addresses."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._credentials = CurrentCredentials(environment)
        self._made: list[SignedCalls] = []

    def dynamodb(self) -> DynamoDB:
        """DynamoDB of the region."""
        return DynamoDB(self._calls("DynamoDB", dynamodb_endpoint(self._environment)))

    def objects(self, bucket: str) -> StoredObjects:
        """A bucket of the region."""
        endpoint = bucket_endpoint(self._environment, bucket)
        return StoredObjects(self._calls("S3", endpoint.origin), endpoint.prefix)

    def close(self) -> None:
        """Let go of the connections."""
        for calls in self._made:
            calls.close()

    def _calls(self, name: str, origin: Origin) -> SignedCalls:
        scope = Scope(self._environment["AWS_REGION"], name.lower())
        calls = SignedCalls(name, origin, scope, self._credentials)
        self._made.append(calls)
        return calls


def _is_skewed(date: str) -> bool:
    try:
        theirs = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(theirs.timestamp() - time.time()) > ALLOWED_SKEW_SECONDS


def _untouched(response: Response) -> Response:
    return response


def _error(status: int, content: bytes) -> tuple[str, dict[str, Any]]:
    """The code of an error and what came with it, from DynamoDB's JSON or S3's XML."""
    _, tag, rest = content.partition(b"<Code>")
    if tag:
        return rest.partition(b"</Code>")[0].decode("utf-8", "replace")[:100], {}
    try:
        answer = orjson.loads(content)
        return str(answer["__type"]).rpartition("#")[2], answer
    except (KeyError, TypeError, ValueError):
        return str(status), {}
