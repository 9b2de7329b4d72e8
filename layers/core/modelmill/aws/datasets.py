"""Records of datasets in the table."""

from typing import Any

from modelmill import lease
from modelmill.aws.dynamodb import NOT_DUE, ConditionFailed, Table, due
from modelmill.aws.items import Item, from_item, to_item
from modelmill.aws.layout import Row, tenant_key
from modelmill.aws.rows import count, create_counted
from modelmill.aws.writes import ABSENT, Condition, Put, Update
from modelmill.datasets.records import Dataset, DatasetFacts
from modelmill.idempotency import IdempotencyKey
from modelmill.pages import Page
from modelmill.timestamps import iso

FIRST_LOOK_SECONDS = 120


def dataset_row(tenant: str, dataset_id: str) -> Row:
    """The row of a dataset."""
    return (tenant_key(tenant), f"DATASET#{dataset_id}")


class TableDatasets:
    """Implements `datasets.records.Datasets`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def create(self, dataset: Dataset, limit: int, key: IdempotencyKey | None, now: float) -> Dataset:
        """See `Datasets`."""
        row = dataset_row(dataset.tenant, dataset.dataset_id)
        put = Put(to_item(dataset, row) | due(dataset.dataset_id, now + FIRST_LOOK_SECONDS), ABSENT)
        counted = count(dataset.tenant, "datasets", 1, limit)
        stands = create_counted(self._table, dataset.tenant, [put], counted, key, dataset.dataset_id, now)
        return self._existing(dataset.tenant, stands)

    def get(self, tenant: str, dataset_id: str) -> Dataset | None:
        """See `Datasets`."""
        item = self._table.get(dataset_row(tenant, dataset_id))
        return from_item(Dataset, item) if item else None

    def page(self, tenant: str, limit: int, cursor: str | None) -> Page[Dataset]:
        """See `Datasets`."""
        page = self._table.page(tenant_key(tenant), "DATASET#", limit, cursor)
        datasets = (from_item(Dataset, item) for item in page.items)
        return Page([dataset for dataset in datasets if dataset.status != "deleted"], page.next_cursor)

    def begin_validation(self, tenant: str, dataset_id: str, now: float) -> Dataset | None:
        """See `Datasets`."""
        waiting = "#status = :awaiting_upload"
        abandoned = "(#status = :validating AND #lease_until < :now)"
        states = {"awaiting_upload": "awaiting_upload", "validating": "validating", "now": int(now)}
        changes = {"status": "validating", "updated_at": iso(now), **_leased(dataset_id, now)}
        when = Condition(f"{waiting} OR {abandoned}", states)
        try:
            item = self._table.write(Update(dataset_row(tenant, dataset_id), changes, {"attempts": 1}, when))
        except ConditionFailed:
            return None
        return from_item(Dataset, item)

    def renew(self, dataset: Dataset, now: float) -> None:
        """See `Datasets`."""
        self._write(_unchanged(dataset, _leased(dataset.dataset_id, now)))

    def accept(self, dataset: Dataset, facts: DatasetFacts, now: float) -> bool:
        """See `Datasets`."""
        changes: Item = {
            name: getattr(facts, name) for name in ("sha256", "bytes", "rows", "columns", "duplicate_rows")
        }
        return self._end(dataset, "ready", changes, now, counted=0)

    def reject(self, dataset: Dataset, problems: list[dict[str, Any]], now: float) -> bool:
        """See `Datasets`."""
        return self._end(dataset, "rejected", {"problems": problems}, now)

    def expire(self, dataset: Dataset, now: float) -> bool:
        """See `Datasets`."""
        return self._end(dataset, "expired", {}, now)

    def delete(self, dataset: Dataset, now: float) -> bool:
        """See `Datasets`."""
        if dataset.status not in ("ready", "rejected", "expired", "awaiting_upload"):
            return False
        counted = -1 if dataset.status in ("ready", "awaiting_upload") else 0
        return self._end(dataset, "deleted", {}, now, counted)

    def look_again(self, dataset: Dataset, at: float) -> None:
        """See `Datasets`."""
        self._write(_unchanged(dataset, due(dataset.dataset_id, at)))

    def _end(self, dataset: Dataset, status: str, changes: Item, now: float, counted: int = -1) -> bool:
        everything = {**changes, "status": status, "updated_at": iso(now), "lease_until": None, **NOT_DUE}
        writes = [_unchanged(dataset, everything)]
        if counted:
            writes.append(count(dataset.tenant, "datasets", counted))
        try:
            self._table.transact(writes)
        except ConditionFailed:
            return False
        return True

    def _write(self, update: Update) -> None:
        try:
            self._table.write(update)
        except ConditionFailed:
            return

    def _existing(self, tenant: str, dataset_id: str) -> Dataset:
        return from_item(Dataset, self._table.get(dataset_row(tenant, dataset_id)) or {})


def _leased(dataset_id: str, now: float) -> Item:
    return {"lease_until": int(now) + lease.SECONDS, **due(dataset_id, now + lease.SECONDS + 1)}


def _unchanged(dataset: Dataset, changes: Item) -> Update:
    """An update that holds only while state, attempt and use are those that `dataset` was read with."""
    same = "#status = :was AND #attempts = :attempts AND #in_use = :in_use"
    seen = {"was": dataset.status, "attempts": dataset.attempts, "in_use": 0}
    return Update(dataset_row(dataset.tenant, dataset.dataset_id), changes, when=Condition(same, seen))
