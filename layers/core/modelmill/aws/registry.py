"""Models, versions, aliases and the ledger in the table."""

import time
from collections.abc import Iterator

from modelmill.aws.dynamodb import ConditionFailed, Table
from modelmill.aws.items import Item, from_item, to_item
from modelmill.aws.layout import Row, alias_row, model_key, model_row, tenant_key, usage_row, version_row
from modelmill.aws.writes import Check, Condition, Delete, Put, Update, Write
from modelmill.models.registry import Alias, AliasMove, LedgerEntry, Model, ModelVersion
from modelmill.pages import Page
from modelmill.timestamps import iso


def version_put(version: ModelVersion) -> Put:
    """The write of a version; the same number may be written again by a repeated admission."""
    return Put(to_item(version, version_row(version.tenant, version.model, version.version)))


def move_writes(tenant: str, model: str, move: AliasMove) -> list[Write]:
    """The writes of a move; the first fails where the alias has moved since it was seen."""
    unseen = Condition("attribute_not_exists(#pk)")
    unmoved = Condition("#revision = :revision", {"revision": move.seen.revision}) if move.seen else unseen
    alias = to_item(move.after, alias_row(tenant, model, move.after.alias))
    entry = to_item(move.entry, (model_key(tenant, model), f"LEDGER#{move.entry.entry_id}"))
    return [Put(alias, unmoved), Put(entry)]


def next_number(known: Item, tenant: str, model: str, at: str) -> Item:
    """What the row of a model says once its next version has a number; a deleted model is made anew."""
    born = {} if known and "deleted_at" not in known else {"created_at": at, "deleted_at": None}
    number = known.get("latest_version", 0) + 1
    return {"tenant": tenant, "model": model, "latest_version": number, "updated_at": at} | born


class TableRegistry:
    """Implements `models.registry.Registry`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def model(self, tenant: str, model: str) -> Model | None:
        """See `Registry`."""
        item = self._table.get(model_row(tenant, model))
        return from_item(Model, item) if item and "deleted_at" not in item else None

    def models(self, tenant: str, limit: int, cursor: str | None) -> Page[Model]:
        """See `Registry`."""
        page = self._table.page(tenant_key(tenant), "MODEL#", limit, cursor)
        return Page([from_item(Model, item) for item in page.items if "deleted_at" not in item], page.next_cursor)

    def version(self, tenant: str, model: str, version: int) -> ModelVersion | None:
        """See `Registry`."""
        item = self._table.get(version_row(tenant, model, version))
        return from_item(ModelVersion, item) if item else None

    def versions(self, tenant: str, model: str, limit: int, cursor: str | None) -> Page[ModelVersion]:
        """See `Registry`."""
        page = self._table.page(model_key(tenant, model), "VERSION#", limit, cursor)
        return Page([from_item(ModelVersion, item) for item in page.items], page.next_cursor)

    def alias(self, tenant: str, model: str, alias: str) -> Alias | None:
        """See `Registry`."""
        item = self._table.get(alias_row(tenant, model, alias))
        return from_item(Alias, item) if item else None

    def aliases(self, tenant: str, model: str) -> list[Alias]:
        """See `Registry`."""
        return [from_item(Alias, item) for item in self._table.all(model_key(tenant, model), "ALIAS#")]

    def move(self, tenant: str, model: str, move: AliasMove) -> bool:
        """See `Registry`."""
        ready = Condition("#status = :ready", {"ready": "ready"})
        served = Check(version_row(tenant, model, move.after.version), ready)
        try:
            self._table.transact([*move_writes(tenant, model, move), served])
        except ConditionFailed:
            return False
        return True

    def ledger(self, tenant: str, model: str, limit: int, cursor: str | None) -> Page[LedgerEntry]:
        """See `Registry`."""
        page = self._table.page(model_key(tenant, model), "LEDGER#", limit, cursor)
        return Page([from_item(LedgerEntry, item) for item in page.items], page.next_cursor)

    def history(self, tenant: str, model: str, alias: str) -> Iterator[LedgerEntry]:
        """See `Registry`."""
        items = self._table.all(model_key(tenant, model), "LEDGER#")
        return (from_item(LedgerEntry, item) for item in items if item["alias"] == alias)

    def delete_version(self, tenant: str, model: str, version: int) -> bool:
        """See `Registry`."""
        row = version_row(tenant, model, version)
        settled = Condition(
            "attribute_not_exists(#pk) OR (#status <> :awaiting_upload AND #status <> :validating)",
            {"awaiting_upload": "awaiting_upload", "validating": "validating"},
        )
        if self._cancel_upload(tenant, row):
            return True
        try:
            self._table.write(Delete(row, settled))
        except ConditionFailed:
            return False
        return True

    def delete_model(self, tenant: str, model: str) -> bool:
        """See `Registry`. From the first write on no validation begins, so the rest finds none under way."""
        idle = "attribute_exists(#pk) AND (attribute_not_exists(#validating) OR #validating = :none)"
        try:
            self._table.write(Update(model_row(tenant, model), {"deleting": True}, when=Condition(idle, {"none": 0})))
        except ConditionFailed:
            return False
        for item in self._table.all(model_key(tenant, model), "ALIAS#"):
            self._table.write(Delete((item["pk"], item["sk"])))
        for item in self._table.all(model_key(tenant, model), "VERSION#"):
            self.delete_version(tenant, model, item["version"])
        self._table.write(Update(model_row(tenant, model), {"deleted_at": iso(time.time()), "deleting": None}))
        return True

    def _cancel_upload(self, tenant: str, row: Row) -> bool:
        """Forget a version that waits for its file, and leave the count."""
        waiting = Condition("#status = :awaiting_upload", {"awaiting_upload": "awaiting_upload"})
        try:
            self._table.transact([Delete(row, waiting), Update(usage_row(tenant), add={"model_uploads": -1})])
        except ConditionFailed:
            return False
        return True
