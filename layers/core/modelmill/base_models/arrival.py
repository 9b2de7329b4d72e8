"""A base model's archive has arrived: check all of it, keep what training reads."""

from pathlib import Path
from typing import Protocol

from modelmill.base_models.records import BaseModel, BaseModelFacts, BaseModels
from modelmill.base_models.unpacking import check_folder, unpack
from modelmill.datasets.arrival import Uploads, parse_upload_key, pin, take_in


class CheckedFiles(Protocol):
    """Where accepted base models are kept."""

    def keep(self, base_model: BaseModel, sha256: str, folder: Path) -> None:
        """Write every file of the folder under the base model and hash; what is already there stays."""


def validate_base_model(base_models: BaseModels, uploads: Uploads, files: CheckedFiles, key: str) -> None:
    """Bring the base model behind an uploaded object to `ready` or `rejected`; repeating it changes nothing."""
    owner = parse_upload_key("base-models", key)
    if owner is not None:
        take_in(base_models, uploads, key, owner, lambda record, source: _validate(record, source, files))


def _validate(base_model: BaseModel, source: Path, files: CheckedFiles) -> BaseModelFacts:
    folder, (sha256, size) = source.with_name("folder"), pin(source)
    folder.mkdir()
    unpack(source, folder)
    checked = check_folder(folder)
    files.keep(base_model, sha256, folder)
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return BaseModelFacts(sha256, size, checked.parameters, checked.architecture.to_dict(), sizes)
