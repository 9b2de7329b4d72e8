"""Base models: sending a Hugging Face folder, from which jobs on texts may start."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from modelmill_client.errors import InvalidInput
from modelmill_client.resources.uploaded import Kind, Uploaded, default_name
from modelmill_client.transport import Json, Transport
from modelmill_client.upload import Progress, check_file

_KIND = Kind("/v1/base-models", "base_models", "base_model_id", "bm", "base model")
# What the server reads of a folder.
FILES = ("config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "tokenizer_config.json")


class BaseModels(Uploaded):
    """`client.base_models`"""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, _KIND)

    def upload(
        self,
        path: str | Path,
        *,
        name: str | None = None,
        progress: Progress | None = None,
        wait: bool = False,
        timeout: float | None = 900.0,
    ) -> Json:
        """Registers a base model and sends a Hugging Face folder, or a zip archive of one; with `wait`, returns once it
        is ready.

        Of a folder only config.json, model.safetensors and the tokenizer's files are sent. The name defaults to the
        folder's or the file's. `progress(sent, size)` counts bytes.

        Raises:
            InvalidInput: there is no such folder or file, or the folder lacks a file.
            UploadFailed: the storage refused the archive; the base model is deleted again.
            NotReady: with `wait`, the archive was rejected; `resource["problems"]` says why.
        """
        path = Path(path)
        name = name or default_name(path, "base-model")
        with _archive(path) as archive:
            created = self.create(name)
            self._send(created, archive, progress)
        return self.wait(created["base_model_id"], timeout=timeout) if wait else created

    def create(self, name: str) -> Json:
        """Registers a base model; the answer's `upload` holds the form through which its archive is to be sent."""
        return self._transport.create(_KIND.path, {"name": name})


@contextmanager
def _archive(path: Path) -> Iterator[Path]:
    """The archive itself, or one of a folder, which is there for as long as it is needed."""
    if not path.is_dir():
        check_file(path, "a zip archive of a Hugging Face folder")
        yield path
        return
    with TemporaryDirectory(prefix="modelmill-") as folder:
        archive = Path(folder, "base-model.zip")
        _pack(path, archive)
        yield archive


def _pack(folder: Path, archive: Path) -> None:
    """Weights hardly become smaller, so nothing is compressed.

    Raises:
        InvalidInput: the folder lacks a file.
    """
    found = [name for name in FILES if (folder / name).is_file()]
    for needed in FILES[:2]:
        if needed not in found:
            raise InvalidInput(f"{folder} has no {needed}, expected a folder as save_pretrained writes it")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for name in found:
            packed.write(folder / name, name)
