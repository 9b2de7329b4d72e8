"""Base models: their records in the table, and what was accepted of them in the store bucket."""

from pathlib import Path

from modelmill.aws.dynamodb import Table
from modelmill.aws.layout import BASE_MODEL, base_model_prefix
from modelmill.aws.s3 import Bucket
from modelmill.aws.uploaded import Kind, TableUploaded
from modelmill.base_models.records import BaseModel, BaseModelFacts


class TableBaseModels(TableUploaded[BaseModel, BaseModelFacts]):
    """Implements `base_models.records.BaseModels`."""

    def __init__(self, table: Table) -> None:
        super().__init__(table, Kind(BaseModel, BASE_MODEL, "base_models"))


class StoredBaseModels:
    """Implements `KeptFiles` and `CheckedFiles` in the store bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def keep(self, base_model: BaseModel, sha256: str, folder: Path) -> None:
        """See `CheckedFiles`."""
        prefix = base_model_prefix(base_model.tenant, base_model.base_model_id, sha256)
        for path in sorted(folder.iterdir()):
            self._bucket.write_once(prefix + path.name, path)

    def delete(self, tenant: str, record_id: str) -> None:
        """See `KeptFiles`."""
        self._bucket.delete_all(f"base-models/{tenant}/{record_id}/")
