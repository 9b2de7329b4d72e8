"""One bucket: objects as bytes and as files, forms to upload with, links to download with."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from modelmill.aws.faults import translated
from modelmill.datasets.uploading import Upload
from modelmill.errors import NotFound

MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


class Bucket:
    """One bucket behind a boto3 S3 client."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def size(self, key: str) -> int | None:
        """Bytes of an object, or None when there is none."""
        try:
            with translated("S3"):
                return int(self._client.head_object(Bucket=self.name, Key=key)["ContentLength"])
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            raise

    def read(self, key: str) -> bytes:
        """An object's bytes.

        Raises:
            NotFound: there is none.
        """
        try:
            with translated("S3"):
                body: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                raise NotFound("the file is no longer there") from error
            raise
        return body

    def download(self, key: str, path: Path) -> None:
        """Stream an object into a file."""
        with translated("S3"):
            self._client.download_file(self.name, key, str(path))

    def upload(self, path: Path, key: str) -> None:
        """Stream a file into an object."""
        with translated("S3"):
            self._client.upload_file(str(path), self.name, key)

    def write(self, key: str, body: bytes) -> None:
        """Write a small object."""
        with translated("S3"):
            self._client.put_object(Bucket=self.name, Key=key, Body=body)

    def write_once(self, key: str, path: Path) -> None:
        """Write an object from a file unless it exists; objects that are named by content never change."""
        try:
            with translated("S3"), path.open("rb") as file:
                self._client.put_object(Bucket=self.name, Key=key, Body=file, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise

    def objects(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Key and size of every object under a prefix."""
        with translated("S3"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
            yield from ((item["Key"], item["Size"]) for page in pages for item in page.get("Contents", ()))

    def delete(self, key: str) -> None:
        """Remove an object."""
        with translated("S3"):
            self._client.delete_object(Bucket=self.name, Key=key)

    def delete_all(self, prefix: str) -> None:
        """Remove every object under a prefix."""
        for key, _ in list(self.objects(prefix)):
            self.delete(key)

    def form(self, key: str, max_bytes: int, seconds: int) -> Upload:
        """A presigned POST for exactly this key; see `UploadForms`."""
        form = self._client.generate_presigned_post(
            self.name, key, Conditions=[["content-length-range", 1, max_bytes]], ExpiresIn=seconds
        )
        return Upload(form["url"], form["fields"])

    def link(self, key: str, seconds: int) -> str:
        """A presigned GET."""
        request = {"Bucket": self.name, "Key": key}
        return str(self._client.generate_presigned_url("get_object", Params=request, ExpiresIn=seconds))
