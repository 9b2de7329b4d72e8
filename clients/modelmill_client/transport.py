"""One HTTP connection to a modelmill server: authentication, retries, and errors as exceptions."""

import ipaddress
import json
import uuid
from collections.abc import Mapping
from typing import Any, Self

import httpx

from modelmill_client.errors import ApiError, ConfigurationError, ConnectionFailed, InvalidInput, api_error
from modelmill_client.retrying import RetryPolicy, parse_retry_after

Json = dict[str, Any]
Query = Mapping[str, str | int | None]

_LAST_PORT = 65535


class Transport:
    """Sends a request, retries what may be retried, and gives back decoded JSON."""

    def __init__(self, url: str, api_key: str, *, timeout: float = 60.0, retry: RetryPolicy | None = None) -> None:
        host = _check_url(url)
        if not api_key.isascii() or not api_key.isprintable():
            raise ConfigurationError("the API key has characters that no key has, expected something like mm_…")
        self.url = url.rstrip("/")
        self.retry = retry or RetryPolicy()
        # A proxy set for the internet must not swallow calls to this machine.
        self._http = httpx.Client(timeout=timeout, trust_env=not is_loopback(host))
        self._headers = {"x-api-key": api_key, "accept": "application/json", "user-agent": "modelmill-client"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def get(self, path: str, params: Query | None = None) -> Json:
        """GET; query parameters that are None are left out."""
        return self.send("GET", path, params=params, safe=True)

    def post(self, path: str, body: Json, *, safe: bool = False) -> Json:
        """POST that is repeated after a broken connection only where the caller says that this is safe."""
        return self.send("POST", path, body=body, safe=safe)

    def create(self, path: str, body: Json, *, idempotency_key: str | None = None) -> Json:
        """POST that creates something once, however often it has to be sent."""
        headers = {"idempotency-key": idempotency_key or str(uuid.uuid4())}
        return self.send("POST", path, body=body, headers=headers, safe=True)

    def put(self, path: str, body: Json) -> Json:
        """PUT; not repeated after a broken connection."""
        return self.send("PUT", path, body=body)

    def delete(self, path: str) -> Json:
        """DELETE; not repeated after a broken connection, since the second answer would be 404."""
        return self.send("DELETE", path)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        params: Query | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool = False,
    ) -> Json:
        """The decoded answer; `safe` says that sending the request twice does no harm.

        Raises:
            ApiError: the server answered with an error.
            ConnectionFailed: no answer, after all retries.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        content = None if body is None else _encode(body)
        content_type = {} if body is None else {"content-type": "application/json"}
        request = self._http.build_request(
            method,
            self.url + path,
            params=given,
            content=content,
            headers={**self._headers, **content_type, **(headers or {})},
        )
        return self.retry.run(lambda: self._once(request), safe=safe)

    def _once(self, request: httpx.Request) -> Json:
        try:
            response = self._http.send(request)
        except httpx.TransportError as error:
            raise connection_failed(self.url, error) from error
        if not response.is_success:
            raise _failure(response)
        return _decode(response)


def _check_url(url: str) -> str:
    """The host in a server's address."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"the server's URL is {url!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.host or (parts.port or 0) > _LAST_PORT:
        raise ConfigurationError(f"the server's URL is {url!r}, expected something like http://127.0.0.1:8080")
    return parts.host


def _encode(body: Json) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"cannot be sent as JSON: {error}; give plain numbers, texts, and None for missing"
        ) from error


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def connection_failed(url: str, error: httpx.TransportError) -> ConnectionFailed:
    """The error for a request to `url` that got no answer."""
    reason = "no answer in time" if isinstance(error, httpx.TimeoutException) else str(error) or type(error).__name__
    return ConnectionFailed(f"cannot reach {url}: {reason}", sent=not isinstance(error, httpx.ConnectError))


def _failure(response: httpx.Response) -> ApiError:
    try:
        body: object = response.json()
    except ValueError:
        body = response.text
    return api_error(
        response.status_code,
        body,
        retry_after=parse_retry_after(response.headers.get("retry-after")),
        request_id=response.headers.get("apigw-requestid"),
    )


def _decode(response: httpx.Response) -> Json:
    if not response.content:
        return {}
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        shown = response.text[:80]
        raise api_error(response.status_code, f"expected a JSON object, got {shown!r}: is this a modelmill server?")
    return body
