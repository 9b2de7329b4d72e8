"""Browser-style uploads to S3, with the policy that S3 enforces and moto does not."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO

from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from modelmill_local.answers import RefusedError
from modelmill_local.intrinsics import ACCESS_KEY, SECRET_KEY
from modelmill_local.objects import ObjectFolder, StoredFile

_CHUNK = 1 << 20
_FIELDS_AT_MOST = 20 * 1024
_UNCHECKED = frozenset({"awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"})


@dataclass
class Form:
    """The fields of an upload, names in lower case, and its file."""

    fields: dict[str, str] = field(default_factory=dict)
    file: StoredFile | None = None
    file_name: str = ""

    @property
    def key(self) -> str:
        """The key of the object."""
        return self.fields["key"].replace("${filename}", self.file_name)


@dataclass(frozen=True)
class Policy:
    """A decoded policy document."""

    expires: datetime
    conditions: list[Any]

    def check(self, fields: Mapping[str, str], bucket: str, now: datetime) -> None:
        """Raises RefusedError where the form breaks the policy."""
        if now >= self.expires:
            raise RefusedError(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        given = {**fields, "bucket": bucket}
        allowed: set[str] = set()
        for condition in self.conditions:
            allowed.add(_check_condition(condition, given))
        for name in fields:
            if name not in allowed | _UNCHECKED and not name.startswith("x-ignore-"):
                text = f"Invalid according to Policy: Extra input fields: {name}"
                raise RefusedError(403, "AccessDenied", text)

    @property
    def size_range(self) -> tuple[int, int | None]:
        """The smallest and the largest size of the file."""
        for condition in self.conditions:
            if isinstance(condition, list) and str(condition[0]).lower() == "content-length-range":
                return int(condition[1]), int(condition[2])
        return 0, None


def read_form(content_type: str, body: BinaryIO, bucket: str, files: ObjectFolder) -> Form:
    """Read an upload of any size, its file straight to disk. Raises: RefusedError."""
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    form = Form()
    writer: _FileWriter | None = None
    try:
        name, text = "", b""
        for event in _events(boundary, body):
            if isinstance(event, File) and event.name.lower() == "file":
                form.file_name = event.filename
                writer = _FileWriter(files, _checked_limit(form, bucket))
                name = ""
            elif isinstance(event, Field | File):
                name, text = event.name.lower(), b""
            elif isinstance(event, Data) and writer is not None and not writer.done:
                writer.write(event)
            elif isinstance(event, Data) and writer is None:
                text = _more(text, event.data)
                form.fields[name] = text.decode("utf-8", "replace")
        form.file = _finished(writer)
    except RefusedError:
        if writer is not None:
            writer.discard()
        raise
    return form


def _events(boundary: str, body: BinaryIO) -> Iterator[Any]:
    decoder = MultipartDecoder(boundary.encode("latin-1"))
    try:
        while True:
            piece = body.read(_CHUNK)
            decoder.receive_data(piece or None)
            event = decoder.next_event()
            while not isinstance(event, NeedData | Epilogue):
                yield event
                event = decoder.next_event()
            if isinstance(event, Epilogue) or not piece:
                return
    except ValueError as error:
        text = "The body of your POST request is not well-formed multipart/form-data."
        raise RefusedError(400, "MalformedPOSTRequest", text) from error


def _more(text: bytes, data: bytes) -> bytes:
    if len(text) + len(data) > _FIELDS_AT_MOST:
        text_ = "Your POST request fields preceding the upload file were too large."
        raise RefusedError(400, "MaxPostPreDataLengthExceeded", text_)
    return text + data


def _checked_limit(form: Form, bucket: str) -> tuple[int, int | None]:
    """The sizes that the policy allows, once all else in the form agrees with it."""
    if "key" not in form.fields:
        text = "Bucket POST must contain a field named 'key'. If it is specified, please check the order of the fields."
        raise RefusedError(400, "InvalidArgument", text)
    if "policy" not in form.fields:
        raise RefusedError(403, "AccessDenied", "Access Denied")
    _check_signature(form.fields)
    policy = _decode(form.fields["policy"])
    policy.check({**form.fields, "key": form.key}, bucket, datetime.now(UTC))
    return policy.size_range


def _check_signature(fields: Mapping[str, str]) -> None:
    """Signature version 4 over the policy; of other people's keys the secret is not known."""
    access_key, _, scope = fields.get("x-amz-credential", "").partition("/")
    if access_key != ACCESS_KEY:
        return
    key = f"AWS4{SECRET_KEY}".encode()
    for part in [*scope.split("/"), fields["policy"]]:
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(key.hex(), fields.get("x-amz-signature", "")):
        text = "The request signature we calculated does not match the signature you provided."
        raise RefusedError(403, "SignatureDoesNotMatch", text)


def _decode(text: str) -> Policy:
    try:
        document = json.loads(base64.b64decode(text, validate=True))
        expires = datetime.fromisoformat(document["expiration"])
        return Policy(expires if expires.tzinfo else expires.replace(tzinfo=UTC), list(document["conditions"]))
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(400, "InvalidPolicyDocument", f"Invalid Policy: {error}") from error


def _check_condition(condition: Any, given: Mapping[str, str]) -> str:
    """The name of the field that a condition is about. Raises: RefusedError."""
    if isinstance(condition, dict):
        ((name, expected),) = condition.items()
        kind = "eq"
    else:
        kind, name, expected = str(condition[0]).lower(), str(condition[1]).removeprefix("$"), condition[2]
    if kind == "content-length-range":
        return kind
    name = str(name).lower()
    value = given.get(name)
    holds = value is not None and (value == expected if kind == "eq" else value.startswith(str(expected)))
    if not holds:
        text = f'Invalid according to Policy: Policy Condition failed: ["{kind}", "${name}", "{expected}"]'
        raise RefusedError(403, "AccessDenied", text)
    return name


def _finished(writer: "_FileWriter | None") -> StoredFile:
    if writer is None or not writer.done:
        raise RefusedError(400, "IncorrectNumberOfFilesInPostRequest", "POST requires exactly one file upload.")
    if writer.size < writer.least:
        text = "Your proposed upload is smaller than the minimum allowed size"
        raise RefusedError(400, "EntityTooSmall", text)
    return StoredFile(writer.path, writer.size, writer.md5.hexdigest())


class _FileWriter:
    def __init__(self, files: ObjectFolder, limits: tuple[int, int | None]) -> None:
        self.least, self._most = limits
        self.path = files.new_path()
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0
        self.done = False
        self._file = self.path.open("wb")

    def write(self, event: Data) -> None:
        self.size += len(event.data)
        if self._most is not None and self.size > self._most:
            text = "Your proposed upload exceeds the maximum allowed size"
            raise RefusedError(400, "EntityTooLarge", text)
        self.md5.update(event.data)
        self._file.write(event.data)
        if not event.more_data:
            self._file.close()
            self.done = True

    def discard(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)
