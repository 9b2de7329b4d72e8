"""The creating transaction that datasets and jobs share."""

from modelmill.aws.dynamodb import ConditionFailed, Table
from modelmill.aws.layout import Row, usage_row
from modelmill.aws.writes import Condition, Put, Update, Write
from modelmill.errors import Conflict, IdempotencyMismatch, QuotaExceeded
from modelmill.idempotency import KEPT_SECONDS, IdempotencyKey


def count(tenant: str, counter: str, change: int, limit: int | None = None) -> Update:
    """Change a counter of the tenant's usage; fails where it has reached `limit`."""
    when = Condition(f"attribute_not_exists(#{counter}) OR #{counter} < :limit", {"limit": limit})
    return Update(usage_row(tenant), add={counter: change}, when=when if limit is not None else None)


def create_counted(
    table: Table,
    tenant: str,
    writes: list[Write],
    counted: Update,
    key: IdempotencyKey | None,
    resource_id: str,
    now: float,
) -> str:
    """Write a new resource, its count and its idempotency row at once; the id of the resource that now stands.

    That is an earlier one where the key was already used for the same call.

    Raises:
        QuotaExceeded: the counter has reached its limit.
        IdempotencyMismatch: the key was used for something else.
        Conflict: one of `writes` did not hold.
    """
    together: list[Write] = [counted, *writes]
    if key:
        together.append(_idempotency_put(tenant, key, resource_id, now))
    try:
        table.transact(together)
    except ConditionFailed as error:
        if key and (earlier := _earlier(table, tenant, key)):
            return earlier
        if 0 in error.failed:
            (counter,) = counted.add
            raise QuotaExceeded(f"the limit of {counter.replace('_', ' ')} is reached", retry_after=30) from error
        raise Conflict("the state changed while this call was under way; try again") from error
    return resource_id


def _idempotency_row(tenant: str, key: IdempotencyKey) -> Row:
    return (f"IDEM#{tenant}#{key.key}", "IDEM")


def _idempotency_put(tenant: str, key: IdempotencyKey, resource_id: str, now: float) -> Put:
    row = _idempotency_row(tenant, key)
    item = {"pk": row[0], "sk": row[1], "resource_id": resource_id, "body_sha256": key.body_sha256}
    free = Condition("attribute_not_exists(#pk) OR #expires_at < :now", {"now": int(now)})
    return Put(item | {"expires_at": int(now) + KEPT_SECONDS}, free)


def _earlier(table: Table, tenant: str, key: IdempotencyKey) -> str | None:
    item = table.get(_idempotency_row(tenant, key))
    if item is None:
        return None
    if item["body_sha256"] != key.body_sha256:
        raise IdempotencyMismatch("this Idempotency-Key was used for another call; use a new one for a new request")
    return str(item["resource_id"])
