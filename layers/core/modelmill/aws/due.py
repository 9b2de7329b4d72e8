"""The index of rows that asked to be looked at."""

from collections.abc import Iterator

from modelmill.aws.dynamodb import Table
from modelmill.aws.items import from_item
from modelmill.aws.layout import BASE_MODEL, DATASET
from modelmill.base_models.records import BaseModel
from modelmill.datasets.records import Dataset
from modelmill.jobs.records import Job
from modelmill.jobs.sweep import DueRecord
from modelmill.models.registry import ModelVersion

ROWS_PER_SHARD = 50

RECORDS: dict[str, type[DueRecord]] = {
    DATASET: Dataset,
    BASE_MODEL: BaseModel,
    "JOB": Job,
    "VERSION": ModelVersion,
}


class TableDueRows:
    """Implements `jobs.sweep.DueRows`; the index may lag, so each row is read again from the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def due(self, now: float) -> Iterator[DueRecord]:
        """See `DueRows`."""
        for row in self._table.due(now, ROWS_PER_SHARD):
            item = self._table.get(row)
            if item is None or item.get("due_at", now + 1) > now:
                continue
            yield from_item(RECORDS[row[1].partition("#")[0]], item)
