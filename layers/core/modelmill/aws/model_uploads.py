"""Versions that wait for an upload, in the table.

A model counts the versions of it that are being validated (`validating`), and nobody begins to validate one of a model
that is being deleted, so that neither brings back what the other has removed.
"""

from dataclasses import replace

from modelmill import lease
from modelmill.aws.dynamodb import NOT_DUE, ConditionFailed, Table, due
from modelmill.aws.items import Item, from_item, to_item
from modelmill.aws.layout import Row, model_row, version_row
from modelmill.aws.registry import move_writes, next_number
from modelmill.aws.rows import count, create_counted
from modelmill.aws.writes import ABSENT, Condition, Put, Update, Write
from modelmill.errors import Conflict
from modelmill.idempotency import IdempotencyKey
from modelmill.models.registry import AliasMove, ModelVersion
from modelmill.timestamps import iso

FIRST_LOOK_SECONDS = 120
NUMBER_ATTEMPTS = 5


class TableModelUploads:
    """Implements `models.uploads.ModelUploads`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def create(self, version: ModelVersion, limit: int, key: IdempotencyKey | None, now: float) -> ModelVersion:
        """See `ModelUploads`."""
        for attempt in range(1, NUMBER_ATTEMPTS + 1):
            try:
                number = self._create(version, limit, key, now)
                break
            except Conflict:
                if attempt == NUMBER_ATTEMPTS:
                    raise
        made = self._get(version_row(version.tenant, version.model, number))
        if made is None:
            raise Conflict(f"version {number}, which this Idempotency-Key made, was deleted; use a new key")
        return made

    def _create(self, version: ModelVersion, limit: int, key: IdempotencyKey | None, now: float) -> int:
        """Give the next number; Conflict where somebody else was faster."""
        row = model_row(version.tenant, version.model)
        known = self._table.get(row) or {}
        model = next_number(known, version.tenant, version.model, iso(now))
        numbered = replace(version, version=model["latest_version"])
        same = "attribute_not_exists(#latest_version) OR #latest_version = :before"
        next_one = Condition(
            f"attribute_not_exists(#deleting) AND ({same})", {"before": known.get("latest_version", 0)}
        )
        writes: list[Write] = [
            Put(
                to_item(numbered, _row(numbered)) | _due(numbered.model, numbered.version, now + FIRST_LOOK_SECONDS),
                ABSENT,
            ),
            Update(row, model, when=next_one),
        ]
        counted = count(version.tenant, "model_uploads", 1, limit)
        return int(create_counted(self._table, version.tenant, writes, counted, key, str(numbered.version), now))

    def begin_validation(self, tenant: str, model: str, version: int, now: float) -> ModelVersion | None:
        """See `ModelUploads`."""
        if self._begin_first(tenant, model, version, now):
            return self._get(version_row(tenant, model, version))
        abandoned = "#status = :validating AND #lease_until < :now"
        when = Condition(abandoned, {"validating": "validating", "now": int(now)})
        row = version_row(tenant, model, version)
        try:
            item = self._table.write(Update(row, _leased(model, version, now), {"attempts": 1}, when))
        except ConditionFailed:
            return None
        return from_item(ModelVersion, item)

    def _begin_first(self, tenant: str, model: str, version: int, now: float) -> bool:
        waiting = Condition("#status = :awaiting_upload", {"awaiting_upload": "awaiting_upload"})
        kept = Condition("attribute_not_exists(#deleting) AND attribute_not_exists(#deleted_at)")
        changes = {"status": "validating", **_leased(model, version, now)}
        begun = Update(version_row(tenant, model, version), changes, {"attempts": 1}, waiting)
        counted = Update(model_row(tenant, model), add={"validating": 1}, when=kept)
        try:
            self._table.transact([begun, counted])
        except ConditionFailed:
            return False
        return True

    def renew(self, version: ModelVersion, now: float) -> bool:
        """See `ModelUploads`."""
        return self._write(_unchanged(version, _leased(version.model, version.version, now)))

    def accept(self, version: ModelVersion, ready: ModelVersion, move: AliasMove | None, now: float) -> bool:
        """See `ModelUploads`."""
        names = ("task", "algorithm", "manifest_sha256", "bytes", "metrics", "labels")
        moved = move_writes(version.tenant, version.model, move) if move else []
        return self._end(version, {"status": "ready"} | {name: getattr(ready, name) for name in names}, moved, now)

    def reject(self, version: ModelVersion, failure: dict[str, str], now: float) -> bool:
        """See `ModelUploads`."""
        return self._end(version, {"status": "rejected", "failure": failure}, [], now)

    def expire(self, version: ModelVersion, now: float) -> bool:
        """See `ModelUploads`."""
        return self._end(version, {"status": "expired"}, [], now)

    def look_again(self, version: ModelVersion, at: float) -> None:
        """See `ModelUploads`."""
        self._write(_unchanged(version, _due(version.model, version.version, at)))

    def _end(self, version: ModelVersion, changes: Item, writes: list[Write], now: float) -> bool:
        """Reach a final state, and leave the counts of the tenant and of the model in which it was."""
        ended = changes | {"labels": None, "lease_until": None, **NOT_DUE}
        validating = -1 if version.status == "validating" else 0
        released: list[Write] = [
            _unchanged(version, ended),
            count(version.tenant, "model_uploads", -1),
            Update(model_row(version.tenant, version.model), {"updated_at": iso(now)}, {"validating": validating}),
        ]
        try:
            self._table.transact([*released, *writes])
        except ConditionFailed:
            return False
        return True

    def _get(self, row: Row) -> ModelVersion | None:
        item = self._table.get(row)
        return from_item(ModelVersion, item) if item else None

    def _write(self, update: Update) -> bool:
        try:
            self._table.write(update)
        except ConditionFailed:
            return False
        return True


def _row(version: ModelVersion) -> Row:
    return version_row(version.tenant, version.model, version.version)


def _due(model: str, version: int, at: float) -> Item:
    return due(f"{model}/{version}", at)


def _leased(model: str, version: int, now: float) -> Item:
    return {"lease_until": int(now) + lease.SECONDS, **_due(model, version, now + lease.SECONDS + 1)}


def _unchanged(version: ModelVersion, changes: Item) -> Update:
    """An update that holds only while state and attempt are those that `version` was read with."""
    same = Condition("#status = :was AND #attempts = :attempts", {"was": version.status, "attempts": version.attempts})
    return Update(_row(version), changes, when=same)
