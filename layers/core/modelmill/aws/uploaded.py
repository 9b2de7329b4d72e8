"""Records that wait for a file, in the table."""

from dataclasses import asdict
from typing import Any, NamedTuple

from modelmill import lease
from modelmill.aws.dynamodb import NOT_DUE, ConditionFailed, Table, due
from modelmill.aws.items import Item, from_item, to_item
from modelmill.aws.layout import Row, uploaded_row
from modelmill.aws.rows import count, create_counted
from modelmill.aws.writes import ABSENT, Condition, Put, Update
from modelmill.datasets.uploading import Uploaded
from modelmill.idempotency import IdempotencyKey
from modelmill.pages import Page
from modelmill.timestamps import iso

FIRST_LOOK_SECONDS = 120


class Kind[Record](NamedTuple):
    """What is kept: `name` begins its rows' keys, `counter` is what counts it in a tenant's usage."""

    record: type[Record]
    name: str
    counter: str


class TableUploaded[Record: Uploaded, Facts]:
    """Implements `datasets.uploading.UploadedRecords`; facts are dataclasses of fields of the record."""

    def __init__(self, table: Table, kind: Kind[Record]) -> None:
        self._table = table
        self._kind = kind

    def create(self, record: Record, limit: int, key: IdempotencyKey | None, now: float) -> Record:
        """See `UploadedRecords`."""
        put = Put(
            to_item(record, self._row(record.tenant, record.id)) | due(record.id, now + FIRST_LOOK_SECONDS), ABSENT
        )
        counted = count(record.tenant, self._kind.counter, 1, limit)
        stands = create_counted(self._table, record.tenant, [put], counted, key, record.id, now)
        return from_item(self._kind.record, self._table.get(self._row(record.tenant, stands)) or {})

    def get(self, tenant: str, record_id: str) -> Record | None:
        """See `UploadedRecords`."""
        item = self._table.get(self._row(tenant, record_id))
        return from_item(self._kind.record, item) if item else None

    def page(self, tenant: str, limit: int, cursor: str | None) -> Page[Record]:
        """See `UploadedRecords`."""
        partition, prefix = self._row(tenant, "")
        page = self._table.page(partition, prefix, limit, cursor)
        records = (from_item(self._kind.record, item) for item in page.items)
        return Page([record for record in records if record.status != "deleted"], page.next_cursor)

    def begin_validation(self, tenant: str, record_id: str, now: float) -> Record | None:
        """See `UploadedRecords`."""
        waiting = "#status = :awaiting_upload"
        abandoned = "(#status = :validating AND #lease_until < :now)"
        states = {"awaiting_upload": "awaiting_upload", "validating": "validating", "now": int(now)}
        changes = {"status": "validating", "updated_at": iso(now), **_leased(record_id, now)}
        when = Condition(f"{waiting} OR {abandoned}", states)
        try:
            item = self._table.write(Update(self._row(tenant, record_id), changes, {"attempts": 1}, when))
        except ConditionFailed:
            return None
        return from_item(self._kind.record, item)

    def renew(self, record: Record, now: float) -> None:
        """See `UploadedRecords`."""
        self._write(self._unchanged(record, _leased(record.id, now)))

    def accept(self, record: Record, facts: Facts, now: float) -> bool:
        """See `UploadedRecords`."""
        return self._end(record, "ready", asdict(facts), now, counted=0)  # type: ignore[call-overload]

    def reject(self, record: Record, problems: list[dict[str, Any]], now: float) -> bool:
        """See `UploadedRecords`."""
        return self._end(record, "rejected", {"problems": problems}, now)

    def expire(self, record: Record, now: float) -> bool:
        """See `UploadedRecords`."""
        return self._end(record, "expired", {}, now)

    def delete(self, record: Record, now: float) -> bool:
        """See `UploadedRecords`."""
        if record.status not in ("ready", "rejected", "expired", "awaiting_upload"):
            return False
        counted = -1 if record.status in ("ready", "awaiting_upload") else 0
        return self._end(record, "deleted", {}, now, counted)

    def look_again(self, record: Record, at: float) -> None:
        """See `UploadedRecords`."""
        self._write(self._unchanged(record, due(record.id, at)))

    def _row(self, tenant: str, record_id: str) -> Row:
        return uploaded_row(self._kind.name, tenant, record_id)

    def _end(self, record: Record, status: str, changes: Item, now: float, counted: int = -1) -> bool:
        everything = {**changes, "status": status, "updated_at": iso(now), "lease_until": None, **NOT_DUE}
        writes = [self._unchanged(record, everything)]
        if counted:
            writes.append(count(record.tenant, self._kind.counter, counted))
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

    def _unchanged(self, record: Record, changes: Item) -> Update:
        """An update that holds only while state, attempt and use are those that `record` was read with."""
        same = "#status = :was AND #attempts = :attempts AND #in_use = :in_use"
        seen = {"was": record.status, "attempts": record.attempts, "in_use": 0}
        return Update(self._row(record.tenant, record.id), changes, when=Condition(same, seen))


def _leased(record_id: str, now: float) -> Item:
    return {"lease_until": int(now) + lease.SECONDS, **due(record_id, now + lease.SECONDS + 1)}
