"""The one table: reads, conditional writes, transactions, pages, the index of due rows."""

import base64
import json
import random
import time
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from modelmill.aws.items import Item, from_wire, row_key, to_wire
from modelmill.aws.layout import Row
from modelmill.aws.refusals import Refused
from modelmill.aws.writes import Write, request_of
from modelmill.errors import InvalidRequest, Unavailable
from modelmill.pages import Page

DUE_INDEX = "due"
DUE_SHARDS = 4
CONFLICT_ATTEMPTS = 5


class ConditionFailed(Exception):
    """A write whose condition did not hold; `failed` are the places of such writes in the transaction."""

    def __init__(self, failed: tuple[int, ...]) -> None:
        super().__init__(f"conditions {failed} failed")
        self.failed = failed


class Calls(Protocol):
    """Whoever carries calls to DynamoDB."""

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a call, in the forms of DynamoDB's API.

        Raises:
            Unavailable: DynamoDB is out of reach, busy or broken.
            Refused: everything else that it answers with an error.
        """


class Table:
    """The table of this name."""

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls = calls
        self._name = name

    def get(self, row: Row) -> Item | None:
        """The item, read consistently."""
        answer = self._calls("GetItem", {"TableName": self._name, "Key": row_key(row), "ConsistentRead": True})
        return from_wire(answer["Item"]) if "Item" in answer else None

    def write(self, write: Write) -> Item:
        """One conditional write; the item as it is afterwards (empty after a delete).

        Raises:
            ConditionFailed: the condition did not hold.
        """
        operation, request = request_of(write, self._name)
        if operation == "Update":
            request["ReturnValues"] = "ALL_NEW"
        try:
            answer = self._calls(f"{operation}Item", request)
        except Refused as error:
            if error.code == "ConditionalCheckFailedException":
                raise ConditionFailed((0,)) from error
            raise
        return from_wire(answer["Attributes"]) if "Attributes" in answer else {}

    def transact(self, writes: Iterable[Write]) -> None:
        """All writes or none.

        Raises:
            ConditionFailed: with the places of the writes whose conditions did not hold.
            Unavailable: other transactions on the same rows were in the way, again and again.
        """
        items = [dict([request_of(write, self._name)]) for write in writes]
        for attempt in range(CONFLICT_ATTEMPTS):
            failed = self._try_transaction(items)
            if failed is None:
                return
            if failed:
                raise ConditionFailed(failed)
            time.sleep(random.uniform(0.01, 0.05) * 2**attempt)
        raise Unavailable("too many changes at once", retry_after=1)

    def _try_transaction(self, items: list[dict[str, Any]]) -> tuple[int, ...] | None:
        """None when it went through, else the failed conditions: none where another transaction was in the way."""
        try:
            self._calls("TransactWriteItems", {"TransactItems": items})
        except Refused as error:
            if error.code != "TransactionCanceledException":
                raise
            reasons = error.answer.get("CancellationReasons", [])
            return tuple(at for at, reason in enumerate(reasons) if reason.get("Code") == "ConditionalCheckFailed")
        return None

    def page(self, pk: str, prefix: str, limit: int, cursor: str | None) -> Page[Item]:
        """Items of a partition whose sort key has the prefix, last first."""
        request: dict[str, Any] = self._query(pk, prefix) | {"ScanIndexForward": False, "Limit": limit}
        if cursor:
            request["ExclusiveStartKey"] = row_key((pk, prefix + _decode_cursor(cursor)))
        answer = self._calls("Query", request)
        last = answer.get("LastEvaluatedKey")
        after = _encode_cursor(last["sk"]["S"].removeprefix(prefix)) if last else None
        return Page([from_wire(item) for item in answer["Items"]], after)

    def all(self, pk: str, prefix: str) -> Iterator[Item]:
        """Every item of a partition whose sort key has the prefix, last first."""
        cursor = None
        while True:
            page = self.page(pk, prefix, 200, cursor)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def due(self, now: float, limit: int) -> Iterator[Row]:
        """Rows that asked to be looked at by now, at most `limit` of each shard."""
        for shard in range(DUE_SHARDS):
            request = {
                "TableName": self._name,
                "IndexName": DUE_INDEX,
                "KeyConditionExpression": "due_shard = :shard AND due_at <= :now",
                "ExpressionAttributeValues": to_wire({":shard": f"DUE#{shard}", ":now": int(now)}),
                "Limit": limit,
            }
            answer = self._calls("Query", request)
            yield from ((item["pk"]["S"], item["sk"]["S"]) for item in answer["Items"])

    def _query(self, pk: str, prefix: str) -> dict[str, Any]:
        return {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": to_wire({":pk": pk, ":prefix": prefix}),
            "ConsistentRead": True,
        }


def due(key: str, at: float) -> Item:
    """The attributes that put a row into the index of due rows."""
    return {"due_shard": f"DUE#{sum(key.encode()) % DUE_SHARDS}", "due_at": int(at)}


NOT_DUE: Item = {"due_shard": None, "due_at": None}


def _encode_cursor(text: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([text]).encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> str:
    try:
        (text,) = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(text, str) or len(text) > 200:
            raise ValueError("not a place in a list")
    except ValueError as error:
        raise InvalidRequest("cursor is not one that this list gave out; start again without it") from error
    return text
