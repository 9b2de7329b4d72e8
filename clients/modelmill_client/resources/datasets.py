"""Datasets: uploading files and waiting until they are ready."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from modelmill_client.errors import InvalidInput, NotFound, NotReady
from modelmill_client.paging import pages
from modelmill_client.transport import Json, Transport
from modelmill_client.upload import Progress, check_file, fill_form
from modelmill_client.waiting import snapshots

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".zip": "zip"}

_ENDED = frozenset({"ready", "rejected", "expired", "deleted"})
_ID = re.compile(r"ds-[0-9a-hjkmnp-tv-z]{26}")


class Datasets:
    """`client.datasets`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def upload(
        self,
        path: str | Path,
        *,
        target: str | None = None,
        name: str | None = None,
        kind: str | None = None,
        format: str | None = None,  # noqa: A002 - the name that the API uses
        progress: Progress | None = None,
        wait: bool = False,
        timeout: float | None = 900.0,
    ) -> Json:
        """Registers a dataset and sends the file; with `wait`, returns once it is ready.

        The name defaults to the file's, the format to what its suffix says, and the kind (what a row is: tabular, text
        or image) to image for a zip archive and tabular for the rest. `progress(sent, size)` counts bytes.

        Raises:
            InvalidInput: there is no such file, it is empty, or its format is unknown.
            UploadFailed: the storage refused the file; the dataset is deleted again.
            NotReady: with `wait`, the file was rejected; `resource["problems"]` says why.
        """
        path = Path(path)
        check_file(path, "a header and rows")
        form = format or guess_format(path)
        dataset = self.create(name or default_name(path), kind=kind or _usual_kind(form), format=form, target=target)
        dataset_id = dataset["dataset_id"]
        fill_form(
            dataset["upload"],
            path,
            progress=progress,
            retry=self._transport.retry,
            undo=lambda: self.delete(dataset_id),
        )
        return self.wait(dataset_id, timeout=timeout) if wait else dataset

    def create(
        self,
        name: str,
        *,
        format: str,  # noqa: A002
        kind: str = "tabular",
        target: str | None = None,
    ) -> Json:
        """Registers a dataset; the answer's `upload` holds the form through which its file is to be sent."""
        body: Json = {"name": name, "kind": kind, "format": format}
        if target is not None:
            body["target"] = target
        return self._transport.create("/v1/datasets", body)

    def list(self, page_size: int | None = None) -> Iterator[Json]:
        """All datasets, newest first."""
        return pages(self._transport, "/v1/datasets", "datasets", page_size)

    def get(self, dataset_id: str) -> Json:
        """One dataset, with its schema and profile once it is ready."""
        return self._transport.get(f"/v1/datasets/{quote(dataset_id, safe='')}")

    def find(self, id_or_name: str) -> Json:
        """The dataset with this id, or else the newest one with this name.

        Raises:
            NotFound: neither exists.
        """
        if _ID.fullmatch(id_or_name):
            return self.get(id_or_name)
        for dataset in self.list():
            if dataset["name"] == id_or_name:
                return self.get(dataset["dataset_id"])
        raise NotFound(f"there is no dataset with the id or name {id_or_name!r}", status=404, code="not_found")

    def delete(self, dataset_id: str) -> None:
        """Removes the dataset's bytes; models that were trained on it stay."""
        self._transport.delete(f"/v1/datasets/{quote(dataset_id, safe='')}")

    def wait(self, dataset_id: str, *, timeout: float | None = 900.0) -> Json:
        """The dataset once it is ready.

        Raises:
            NotReady: it was rejected, or its upload never came.
            WaitTimeout: it is still being validated after `timeout` seconds.
        """
        *_, dataset = self.watch(dataset_id, timeout=timeout)
        if dataset["status"] != "ready":
            problems = "; ".join(problem["message"] for problem in dataset.get("problems", [])[:3])
            raise NotReady(
                f"dataset {dataset_id} is {dataset['status']}" + (f": {problems}" if problems else ""), resource=dataset
            )
        return dataset

    def watch(self, dataset_id: str, *, timeout: float | None = 900.0) -> Iterator[Json]:
        """The dataset each time that it has changed, until it is ready, rejected, expired or deleted."""
        return snapshots(lambda: self.get(dataset_id), _ENDED, timeout=timeout, what=f"dataset {dataset_id}")


def default_name(path: Path) -> str:
    """A dataset name from a file's name: lower case, everything but letters and digits as '-'."""
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:63].rstrip("-")
    return name or "dataset"


def _usual_kind(form: str) -> str:
    return "image" if form == "zip" else "tabular"


def guess_format(path: Path) -> str:
    """The format that the suffix stands for.

    Raises:
        InvalidInput: an unknown suffix.
    """
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        known = ", ".join(sorted(FORMATS))
        raise InvalidInput(f"{path.name} has an unknown suffix, expected one of {known}; or say the format")
    return found
