"""Folders of this machine and what lies under an s3:// address."""

import contextlib
from pathlib import Path
from typing import Any


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an s3:// address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def download(s3: Any, uri: str, folder: Path) -> list[Path]:
    """Copy every object under a prefix into a folder; the files that it has now, none where there is no object."""
    bucket, prefix = split_uri(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    paths = []
    for key in [found["Key"] for page in pages for found in page.get("Contents", [])]:
        name = _local_name(key, prefix)
        path = (folder / name).resolve()
        if name.endswith("/") or not path.is_relative_to(folder.resolve()):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key, str(path))
        paths.append(path)
    return paths


def _local_name(key: str, prefix: str) -> str:
    """Where an object lies in its channel: a prefix is a folder, or the beginning of file names."""
    folder = prefix.rstrip("/") + "/"
    if not key.startswith(folder):
        folder = prefix[: prefix.rfind("/") + 1]
    return key[len(folder) :]


class SyncedFolder:
    """A folder that is filled from S3 once, and whose new and changed files go there when asked."""

    def __init__(self, s3: Any, uri: str, folder: Path) -> None:
        self._s3, self._uri, self._folder = s3, uri.rstrip("/") + "/", folder
        self._known: dict[Path, tuple[int, int]] = {}

    def fill(self) -> None:
        """Make the folder, with what lies in S3."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in download(self._s3, self._uri, self._folder):
            self._known[path] = _state(path)

    def upload(self) -> None:
        """Send what is new; a file that vanishes meanwhile has been renamed and is sent the next time."""
        bucket, prefix = split_uri(self._uri)
        for path in sorted(self._folder.rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                state = _state(path)
                if path.is_file() and self._known.get(path) != state:
                    self._s3.upload_file(str(path), bucket, prefix + path.relative_to(self._folder).as_posix())
                    self._known[path] = state


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size
