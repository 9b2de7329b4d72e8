"""Sending a file of any size through a presigned form, without reading it into memory."""

import io
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from modelmill_client.errors import ClientError, InvalidInput, UploadFailed
from modelmill_client.retrying import RetryPolicy
from modelmill_client.transport import connection_failed, is_loopback

Progress = Callable[[int, int], None]

_TIMEOUT = httpx.Timeout(30.0, read=300.0)


class _CountedFile(io.FileIO):
    """A file that tells how far it has been read."""

    def __init__(self, path: Path, progress: Progress | None) -> None:
        super().__init__(path)
        self._size = path.stat().st_size
        self._progress = progress

    def read(self, size: int | None = -1) -> bytes:
        chunk = super().read(-1 if size is None else size) or b""
        if self._progress is not None:
            self._progress(self.tell(), self._size)
        return chunk


def check_file(path: Path, expected: str) -> int:
    """The size of a file in bytes.

    Raises:
        InvalidInput: there is no such file, or nothing in it; `expected` says what should be.
    """
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}")
    size = path.stat().st_size
    if not size:
        raise InvalidInput(f"{path} is empty, expected {expected}")
    return size


def fill_form(
    form: Mapping[str, Any],
    path: Path,
    *,
    progress: Progress | None = None,
    retry: RetryPolicy | None = None,
    undo: Callable[[], object],
) -> None:
    """Sends the file through the form `{url, fields}` of something that was just registered, which `undo` takes back.

    Raises:
        UploadFailed: the storage refused the file; what was registered for it is taken back.
        ConnectionFailed: no answer, after all retries.
    """
    try:
        send_file(form["url"], form["fields"], path, progress=progress, retry=retry)
    except UploadFailed:
        # It would count against the quota until it expires.
        with suppress(ClientError):
            undo()
        raise


def send_file(
    url: str,
    fields: Mapping[str, str],
    path: Path,
    *,
    progress: Progress | None = None,
    retry: RetryPolicy | None = None,
) -> None:
    """POSTs the form with the file as its last part; `progress` gets bytes sent and bytes in all.

    Sending the same bytes to the same key twice leaves one object, so every kind of failure may be retried.

    Raises:
        UploadFailed: the storage refused the file.
        ConnectionFailed: no answer, after all retries.
    """
    with httpx.Client(timeout=_TIMEOUT, trust_env=not is_loopback(httpx.URL(url).host)) as http:
        (retry or RetryPolicy()).run(lambda: _post(http, url, fields, path, progress), safe=True)


def _post(http: httpx.Client, url: str, fields: Mapping[str, str], path: Path, progress: Progress | None) -> None:
    with _CountedFile(path, progress) as file:
        try:
            response = http.post(url, data=dict(fields), files={"file": (path.name, file)})
        except httpx.TransportError as error:
            raise connection_failed(url, error) from error
    if not response.is_success:
        raise _refusal(response)


def _refusal(response: httpx.Response) -> UploadFailed:
    """The error in the XML of an S3 answer."""
    code = _element(response.text, "Code") or "Unknown"
    reason = _element(response.text, "Message") or "no reason given"
    status = response.status_code
    return UploadFailed(f"the storage refused the file: {reason} ({status} {code})", status=status, code=code)


def _element(xml: str, name: str) -> str | None:
    found = re.search(rf"<{name}>([^<]*)</{name}>", xml)
    return found.group(1) if found else None
