"""S3 in front of moto's: durable writes, enforced upload policies and links, large downloads from disk."""

import io
import threading
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qs, quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends
from werkzeug.http import parse_range_header
from werkzeug.wsgi import get_input_stream

from modelmill_local.answers import Answer, App, RefusedError, call, read_body
from modelmill_local.intrinsics import ACCOUNT
from modelmill_local.journal import Journal
from modelmill_local.objects import ObjectFolder, StoredFile, StoredKey
from modelmill_local.presigned_link import check_link
from modelmill_local.presigned_post import Form, read_form

_STREAM_FROM = 4 << 20
_CHUNK = 1 << 20
# moto's HEAD gives the checksum of several parts as if it were one of the whole.
_NOT_FOR_HEAD = ("HTTP_RANGE", "HTTP_X_AMZ_CHECKSUM_MODE")


class S3:
    """Takes the S3 requests; everything that is not its own goes to moto."""

    def __init__(self, moto: App, journal: Journal, files: ObjectFolder) -> None:
        self._moto = moto
        self._journal = journal
        self._files = files
        self._writing = threading.Lock()

    def answer(self, environ: dict[str, Any]) -> Answer:
        """The answer to one request, after what it changed is on disk."""
        try:
            check_link(environ)
        except RefusedError as error:
            return _refusal(error.status, error.code, str(error))
        method = environ["REQUEST_METHOD"]
        bucket, key = address(environ)
        if method == "POST" and not key and environ.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
            return self._upload(environ, bucket)
        if method == "GET" and key:
            return self._download(environ, bucket, key) or call(self._moto, environ)
        arrived = self._arrive(environ) if key and _is_large_object(environ) else None
        body = read_body(environ)
        if method not in ("PUT", "POST", "DELETE"):
            return call(self._moto, environ)
        with self._writing:
            StoredKey.take_made()
            StoredKey.arrived.file = arrived
            answer = call(self._moto, environ)
            if unused := StoredKey.take_arrived():
                self._files.give_up(unused.path)
            if answer.status < 300 or unused:
                self._note(_deleted(method, environ["QUERY_STRING"], bucket, key, body))
        return answer

    def _arrive(self, environ: dict[str, Any]) -> StoredFile:
        """Take a request's body to disk, and leave the request without one."""
        file = self._files.store_stream(get_input_stream(environ))
        environ |= {"wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}
        return file

    def _note(self, deleted: Iterable[tuple[str, str]]) -> None:
        self._journal.note_objects([*StoredKey.take_made(), *deleted])

    def _upload(self, environ: dict[str, Any], bucket: str) -> Answer:
        try:
            _backend().get_bucket(bucket)
            form = read_form(environ["CONTENT_TYPE"], cast(BinaryIO, get_input_stream(environ)), bucket, self._files)
            with self._writing:
                StoredKey.take_made()
                made = _backend().put_object(bucket, form.key, form.file, request_method="POST")
                made.set_metadata(_metadata(form))
                self._note([])
        except RefusedError as error:
            return _refusal(error.status, error.code, str(error))
        except S3ClientError as error:
            return _refusal(404, error.code, error.message)
        return _uploaded(form, bucket, made)

    def _download(self, environ: dict[str, Any], bucket: str, key: str) -> Answer | None:
        """A large object straight from its file; None where moto should answer."""
        query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
        if not all(name == "versionId" or name.lower().startswith(("x-amz-", "x-id")) for name in query):
            return None
        found = _backend().buckets.get(bucket)
        version = query.get("versionId", [None])[0]
        stored = _backend().get_object(bucket, key, version) if found else None
        if stored is None or stored.size < _STREAM_FROM or not isinstance(stored.stored.data, Path):
            return None
        return self._stream(environ, stored.stored.data, stored.size)

    def _stream(self, environ: dict[str, Any], path: Path, size: int) -> Answer | None:
        asked = parse_range_header(environ.get("HTTP_RANGE"))
        span = asked.range_for_length(size) if asked else (0, size)
        if span is None:
            return None  # moto words the refusal
        head = {name: value for name, value in environ.items() if name not in _NOT_FOR_HEAD}
        described = call(self._moto, head | {"REQUEST_METHOD": "HEAD"})
        if described.status != 200:
            return None
        headers = [(name, value) for name, value in described.headers if name.lower() != "content-length"]
        headers.append(("Content-Length", str(span[1] - span[0])))
        if asked:
            headers.append(("Content-Range", f"bytes {span[0]}-{span[1] - 1}/{size}"))
        return Answer(206 if asked else 200, headers, _pieces(path, *span))


def address(environ: dict[str, Any]) -> tuple[str, str]:
    """The bucket and the key that a path-style request is about."""
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    bucket, _, key = path.removeprefix("/").partition("/")
    return bucket, key


def _is_large_object(environ: dict[str, Any]) -> bool:
    """Whether a request's body is a whole large object, and nothing but its bytes."""
    return (
        environ["REQUEST_METHOD"] == "PUT"
        and int(environ.get("CONTENT_LENGTH") or 0) >= _STREAM_FROM
        and "uploadId=" not in environ["QUERY_STRING"]
        and not environ.get("HTTP_X_AMZ_CONTENT_SHA256", "").startswith("STREAMING-")
    )


def _pieces(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (piece := file.read(min(_CHUNK, end - start))):
            start += len(piece)
            yield piece


def _deleted(method: str, query: str, bucket: str, key: str, body: bytes) -> list[tuple[str, str]]:
    """The keys that a request may have removed, or changed in place."""
    if key:
        return [(bucket, key)]
    if method == "POST" and "delete" in parse_qs(query, keep_blank_values=True):
        names = ElementTree.fromstring(body).iterfind(".//{*}Object/{*}Key")  # noqa: S314 - our own clients' XML
        return [(bucket, name.text or "") for name in names]
    return []


def _metadata(form: Form) -> dict[str, str]:
    kept = {name: value for name, value in form.fields.items() if name.startswith("x-amz-meta-")}
    return kept | ({"Content-Type": form.fields["content-type"]} if "content-type" in form.fields else {})


def _uploaded(form: Form, bucket: str, made: Any) -> Answer:
    location = f"/{bucket}/{quote(form.key)}"
    headers = [("ETag", made.etag), ("Location", location), ("Access-Control-Allow-Origin", "*")]
    status = form.fields.get("success_action_status", "")
    if status != "201":
        return Answer(200 if status == "200" else 204, headers, [])
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>'
        f"<Location>{escape(location)}</Location><Bucket>{escape(bucket)}</Bucket>"
        f"<Key>{escape(form.key)}</Key><ETag>{escape(made.etag)}</ETag></PostResponse>"
    )
    return Answer(201, [*headers, ("Content-Type", "application/xml")], [body.encode()])


def _refusal(status: int, code: str, message: str) -> Answer:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error>'
        f"<Code>{code}</Code><Message>{escape(message)}</Message><RequestId>{uuid.uuid4().hex}</RequestId></Error>"
    )
    headers = [("Content-Type", "application/xml"), ("Access-Control-Allow-Origin", "*")]
    return Answer(status, headers, [body.encode()])


def _backend() -> Any:
    return s3_backends[ACCOUNT]["aws"]
