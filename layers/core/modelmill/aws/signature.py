"""Signatures of requests, version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html."""

import hashlib
import hmac
import time
from functools import lru_cache
from typing import NamedTuple

ALGORITHM = "AWS4-HMAC-SHA256"
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


class Credentials(NamedTuple):
    """Who asks; `expires_at` is in seconds since the epoch."""

    access_key: str
    secret_key: str
    token: str | None = None
    expires_at: float = float("inf")


class Scope(NamedTuple):
    """What a signature is good for."""

    region: str
    service: str


class Unsigned(NamedTuple):
    """A request without a query: `path` is encoded, names of headers are in lower case, `host` among them."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


def encode_path(path: str) -> str:
    """A path as S3 wants it in requests and in signatures: every byte encoded that is not unreserved or a slash."""
    return "".join(chr(byte) if byte in UNRESERVED else f"%{byte:02X}" for byte in path.encode())


def signed_headers(request: Unsigned, scope: Scope, credentials: Credentials, now: float) -> dict[str, str]:
    """All headers of the request, with its signature."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    payload = hashlib.sha256(request.body).hexdigest()
    headers = request.headers | {"x-amz-date": moment}
    if scope.service == "s3":
        headers["x-amz-content-sha256"] = payload
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = sorted(headers)
    signed = ";".join(names)
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in names]
    canonical = "\n".join([request.method, request.path, "", *lines, "", signed, payload])
    granted = f"{moment[:8]}/{scope.region}/{scope.service}/aws4_request"
    to_sign = "\n".join([ALGORITHM, moment, granted, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = _hmac(_signing_key(credentials.secret_key, moment[:8], scope), to_sign).hex()
    credential = f"Credential={credentials.access_key}/{granted}"
    headers["authorization"] = f"{ALGORITHM} {credential}, SignedHeaders={signed}, Signature={signature}"
    return headers


@lru_cache(maxsize=8)
def _signing_key(secret_key: str, day: str, scope: Scope) -> bytes:
    key = ("AWS4" + secret_key).encode()
    for part in (day, scope.region, scope.service, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
