"""An upload has arrived: validate it once, keep what training reads, say what is wrong with the rest."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Protocol

from modelmill import lease
from modelmill.datasets.records import Dataset, DatasetFacts, Datasets
from modelmill.datasets.schema import Problem, Rejected, Schema
from modelmill.datasets.uploading import Uploaded, UploadedRecords

MAX_ATTEMPTS = 5


class Uploads(Protocol):
    """Where uploaded files lie until they are validated."""

    def size(self, key: str) -> int | None:
        """Bytes, or None when nothing is there."""

    def download(self, key: str, path: Path) -> None:
        """Stream the object into a file."""

    def delete(self, key: str) -> None:
        """Remove the object."""


class ValidatedFiles(Protocol):
    """Where validated data is kept."""

    def keep(self, dataset: Dataset, sha256: str, parquet: Path, schema: str) -> None:
        """Write `data.parquet` and `schema.json` under the dataset and hash; what is already there stays."""


class Pin(NamedTuple):
    """The bytes of an upload."""

    sha256: str
    bytes: int


type Reader = Callable[[Path, Dataset, Path], Schema]


def parse_upload_key(kind: str, key: str) -> tuple[str, str] | None:
    """Tenant and id of an uploaded object, or None for an object of another kind."""
    parts = key.split("/")
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == kind else None


def pin(path: Path) -> Pin:
    """What a file is known by."""
    with path.open("rb") as file:
        return Pin(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def validate_upload(datasets: Datasets, uploads: Uploads, files: ValidatedFiles, read: Reader, key: str) -> None:
    """Bring the dataset behind an uploaded object to `ready` or `rejected`; repeating it changes nothing.

    `read(source, dataset, parquet)` writes the parquet file and gives its schema, or raises `Rejected`.
    """
    owner = parse_upload_key("datasets", key)
    if owner is not None:
        take_in(datasets, uploads, key, owner, lambda dataset, source: _validate(dataset, source, files, read))


def take_in[Record: Uploaded, Facts](
    records: UploadedRecords[Record, Facts],
    uploads: Uploads,
    key: str,
    owner: tuple[str, str],
    validate: Callable[[Record, Path], Facts],
) -> None:
    """Bring the record behind an uploaded object to `ready` or `rejected`; repeating it changes nothing.

    `validate` is given the record and its file, in a folder of its own, and keeps what is to be kept; it raises
    `Rejected` where that is nothing.
    """
    if uploads.size(key) is None:
        return
    record = records.begin_validation(*owner, time.time())
    if record is None:
        return
    try:
        if record.attempts > MAX_ATTEMPTS:
            message = "validation was begun several times and never ended; the file may need too much memory"
            raise Rejected((Problem("validation_failed", message),))
        with (
            lease.kept(lambda: records.renew(record, time.time())),
            TemporaryDirectory(prefix="modelmill-") as folder,
        ):
            source = Path(folder, "upload")
            uploads.download(key, source)
            facts = validate(record, source)
        ended = records.accept(record, facts, time.time())
    except Rejected as rejected:
        ended = records.reject(record, [problem.to_dict() for problem in rejected.problems], time.time())
    if ended:
        uploads.delete(key)


def _validate(dataset: Dataset, source: Path, files: ValidatedFiles, read: Reader) -> DatasetFacts:
    parquet, (sha256, size) = source.with_name("data.parquet"), pin(source)
    schema = read(source, dataset, parquet)
    if dataset.target is not None and schema.column(dataset.target) is None:
        raise Rejected((_no_target(dataset.target, schema),))
    files.keep(dataset, sha256, parquet, json.dumps(schema.to_dict(), allow_nan=False))
    return DatasetFacts(sha256, size, schema.rows, len(schema.columns), schema.duplicate_rows)


def _no_target(target: str, schema: Schema) -> Problem:
    names = ", ".join(column.name for column in schema.columns[:20])
    return Problem("no_target", f"the target column {target!r} is not in the file; it has {names}", column=target)
