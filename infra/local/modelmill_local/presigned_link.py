"""Presigned links to S3, with the signature and the expiry that S3 checks and moto does not."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from botocore.auth import SIGV4_TIMESTAMP, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from werkzeug.datastructures import EnvironHeaders

from modelmill_local.answers import RefusedError
from modelmill_local.intrinsics import ACCESS_KEY, SECRET_KEY

_PREFIX = "X-Amz-"
_NEEDED = frozenset({"Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"})
_ALGORITHM = "AWS4-HMAC-SHA256"
_SECONDS_AT_MOST = 7 * 24 * 3600


def check_link(environ: dict[str, Any]) -> None:
    """Pass a request whose query holds a good signature or none at all. Raises: RefusedError."""
    query = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
    signing = {name.removeprefix(_PREFIX): value for name, value in query if name.startswith(_PREFIX)}
    if signing.keys().isdisjoint(_NEEDED) or environ["REQUEST_METHOD"] == "OPTIONS":
        return
    _check_time(signing, datetime.now(UTC))
    access_key, *scope = signing["Credential"].split("/")
    if access_key != ACCESS_KEY:  # of other people's keys the secret is not known
        return
    unsigned = [(name, value) for name, value in query if name != "X-Amz-Signature"]
    request = _request(environ, unsigned, signing["SignedHeaders"].split(";"))
    request.context["timestamp"] = signing["Date"]
    auth = S3SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", scope[1] if len(scope) > 1 else "")
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    if not hmac.compare_digest(expected.encode(), signing["Signature"].encode()):
        text = "The request signature we calculated does not match the signature you provided."
        raise RefusedError(403, "SignatureDoesNotMatch", text)


def _check_time(signing: Mapping[str, str], now: datetime) -> None:
    try:
        began = datetime.strptime(signing["Date"], SIGV4_TIMESTAMP).replace(tzinfo=UTC)
        seconds = int(signing["Expires"])
        well_formed = signing.keys() >= _NEEDED and signing["Algorithm"] == _ALGORITHM
    except (KeyError, ValueError):
        well_formed, began, seconds = False, now, 0
    if not well_formed or not 0 < seconds <= _SECONDS_AT_MOST:
        names = ", ".join(_PREFIX + name for name in sorted(_NEEDED))
        text = f"Query-string authentication version 4 requires {names}, each of them well-formed"
        raise RefusedError(400, "AuthorizationQueryParametersError", text)
    if now - began >= timedelta(seconds=seconds):
        raise RefusedError(403, "AccessDenied", "Request has expired")


def _request(environ: dict[str, Any], query: list[tuple[str, str]], signed: list[str]) -> AWSRequest:
    """The request as its sender has signed it."""
    given = EnvironHeaders(environ)
    path = quote(environ["PATH_INFO"].encode("latin-1"), safe="/~")
    url = f"http://{environ.get('HTTP_HOST', '')}{path}?{urlencode(query, quote_via=quote, safe='~')}"
    return AWSRequest(environ["REQUEST_METHOD"], url, {name: given.get(name, "") for name in signed})
