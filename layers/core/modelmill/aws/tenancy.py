"""Keys and usage in the table."""

import time
from typing import Any

from modelmill.aws.dynamodb import ConditionFailed, Table
from modelmill.aws.items import Item
from modelmill.aws.layout import Row, month_attribute, predictions_row, secret_row, tenant_key, usage_row
from modelmill.aws.writes import ABSENT, PRESENT, Delete, Put, Update
from modelmill.pages import Page
from modelmill.tenancy.access import TenantUsage, month_of
from modelmill.tenancy.keys import Key
from modelmill.tenancy.quotas import Usage
from modelmill.timestamps import iso


class TableKeys:
    """Implements `tenancy.keys.Keys` and `tenancy.access.KeyUse`.

    A key has a row by hash for authentication and a row by id for the tenant's list.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, sha256: str) -> Key | None:
        """See `Keys`."""
        item = self._table.get(secret_row(sha256))
        return _key(item) if item and "revoked_at" not in item else None

    def add(self, key: Key) -> bool:
        """See `Keys`."""
        by_hash, by_id = secret_row(key.sha256), (tenant_key(key.tenant), f"KEY#{key.key_id}")
        try:
            self._table.transact([Put(_item(key, row), ABSENT) for row in (by_hash, by_id)])
        except ConditionFailed:
            return False
        return True

    def page(self, tenant: str, limit: int, cursor: str | None) -> Page[Key]:
        """See `Keys`."""
        page = self._table.page(tenant_key(tenant), "KEY#", limit, cursor)
        return Page([_key(item) for item in page.items], page.next_cursor)

    def remove(self, tenant: str, key_id: str) -> bool:
        """See `Keys`."""
        row = (tenant_key(tenant), f"KEY#{key_id}")
        item = self._table.get(row)
        if item is None:
            return False
        try:
            revoked = Update(secret_row(item["sha256"]), {"revoked_at": iso(time.time())})
            changed = Update(predictions_row(tenant), add={"key_changes": 1})
            self._table.transact([Delete(row, PRESENT), revoked, changed])
        except ConditionFailed:
            return False
        return True

    def use(self, tenant: str, month: str, predictions: int) -> TenantUsage:
        """See `KeyUse`."""
        counted = month_attribute(month)
        item = self._table.write(Update(predictions_row(tenant), add={counted: predictions, "key_changes": 0}))
        return TenantUsage(item[counted], item["key_changes"])


class TableUsage:
    """Implements `tenancy.quotas.UsageStore`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def usage(self, tenant: str) -> Usage:
        """See `UsageStore`."""
        item = self._table.get(usage_row(tenant)) or {}
        predictions = self._table.get(predictions_row(tenant)) or {}
        counted = month_attribute(month_of(time.time()))
        return Usage(
            concurrent_jobs=item.get("concurrent_jobs", 0),
            datasets=item.get("datasets", 0),
            base_models=item.get("base_models", 0),
            model_uploads=item.get("model_uploads", 0),
            monthly_predictions=predictions.get(counted, 0),
        )


def _item(key: Key, row: Row) -> Item:
    return {
        "pk": row[0],
        "sk": row[1],
        "key_id": key.key_id,
        "tenant": key.tenant,
        "name": key.name,
        "scopes": list(key.scopes),
        "sha256": key.sha256,
        "created_at": key.created_at,
    }


def _key(item: dict[str, Any]) -> Key:
    fields = ("key_id", "tenant", "name", "sha256", "created_at")
    return Key(scopes=tuple(item["scopes"]), **{field: item[field] for field in fields})
