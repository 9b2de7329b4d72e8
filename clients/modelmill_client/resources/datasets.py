"""Datasets: uploading files and waiting until they are ready."""

from pathlib import Path

from modelmill_client.errors import InvalidInput
from modelmill_client.resources.uploaded import Kind, Uploaded, default_name
from modelmill_client.transport import Json, Transport
from modelmill_client.upload import Progress, check_file

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".zip": "zip"}

_KIND = Kind("/v1/datasets", "datasets", "dataset_id", "ds", "dataset")


class Datasets(Uploaded):
    """`client.datasets`"""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, _KIND)

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
        name = name or default_name(path, "dataset")
        dataset = self.create(name, kind=kind or _usual_kind(form), format=form, target=target)
        self._send(dataset, path, progress)
        return self.wait(dataset["dataset_id"], timeout=timeout) if wait else dataset

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
