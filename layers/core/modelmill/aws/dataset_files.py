"""Validated data in the store bucket."""

import json
from pathlib import Path

from modelmill.aws.layout import dataset_prefix
from modelmill.aws.s3 import Bucket
from modelmill.datasets.records import Dataset
from modelmill.datasets.schema import Schema


class StoredDatasets:
    """Implements `DatasetFiles` and `ValidatedFiles` in the store bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def schema(self, tenant: str, dataset_id: str, sha256: str) -> Schema:
        """See `DatasetFiles`."""
        return Schema.from_dict(
            json.loads(self._bucket.read(dataset_prefix(tenant, dataset_id, sha256) + "schema.json"))
        )

    def keep(self, dataset: Dataset, sha256: str, parquet: Path, schema: str) -> None:
        """See `ValidatedFiles`."""
        prefix = dataset_prefix(dataset.tenant, dataset.dataset_id, sha256)
        described = parquet.with_name("schema.json")
        described.write_text(schema, encoding="utf-8")
        self._bucket.write_once(prefix + "data.parquet", parquet)
        self._bucket.write_once(prefix + "schema.json", described)

    def delete(self, tenant: str, record_id: str) -> None:
        """See `DatasetFiles`."""
        self._bucket.delete_all(f"datasets/{tenant}/{record_id}/")
