"""An upload has arrived: validate it once, keep what training reads, say what is wrong with the rest."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from modelmill import lease
from modelmill.datasets.records import Dataset, DatasetFacts, Datasets
from modelmill.datasets.schema import Problem, Rejected, Schema

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


type Reader = Callable[[Path, Dataset, Path], Schema]


def parse_upload_key(key: str) -> tuple[str, str] | None:
    """Tenant and dataset id of an uploaded object, or None for an object of another kind."""
    parts = key.split("/")
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == "datasets" else None


def validate_upload(datasets: Datasets, uploads: Uploads, files: ValidatedFiles, read: Reader, key: str) -> None:
    """Bring the dataset behind an uploaded object to `ready` or `rejected`; repeating it changes nothing.

    `read(source, dataset, parquet)` writes the parquet file and gives its schema, or raises `Rejected`.
    """
    owner = parse_upload_key(key)
    if owner is None or uploads.size(key) is None:
        return
    dataset = datasets.begin_validation(*owner, time.time())
    if dataset is None:
        return
    try:
        if dataset.attempts > MAX_ATTEMPTS:
            message = "validation was begun several times and never ended; the file may need too much memory"
            raise Rejected((Problem("validation_failed", message),))
        with lease.kept(lambda: datasets.renew(dataset, time.time())):
            facts = _validate(dataset, uploads, files, read, key)
        ended = datasets.accept(dataset, facts, time.time())
    except Rejected as rejected:
        ended = datasets.reject(dataset, [problem.to_dict() for problem in rejected.problems], time.time())
    if ended:
        uploads.delete(key)


def _validate(dataset: Dataset, uploads: Uploads, files: ValidatedFiles, read: Reader, key: str) -> DatasetFacts:
    with TemporaryDirectory(prefix="modelmill-") as folder:
        source, parquet = Path(folder, "upload"), Path(folder, "data.parquet")
        uploads.download(key, source)
        with source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        schema = read(source, dataset, parquet)
        if dataset.target is not None and schema.column(dataset.target) is None:
            raise Rejected((_no_target(dataset.target, schema),))
        files.keep(dataset, sha256, parquet, json.dumps(schema.to_dict(), allow_nan=False))
        return DatasetFacts(sha256, source.stat().st_size, schema.rows, len(schema.columns), schema.duplicate_rows)


def _no_target(target: str, schema: Schema) -> Problem:
    names = ", ".join(column.name for column in schema.columns[:20])
    return Problem("no_target", f"the target column {target!r} is not in the file; it has {names}", column=target)
