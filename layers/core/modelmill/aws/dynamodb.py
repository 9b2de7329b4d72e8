"""The one table: plain Python values in and out, conditional writes, transactions, pages, the index of due rows."""

import base64
import json
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from modelmill.aws.faults import translated
from modelmill.errors import InvalidRequest, Unavailable
from modelmill.pages import Page

type Item = dict[str, Any]
type Row = tuple[str, str]

DUE_INDEX = "due"
DUE_SHARDS = 4
CONFLICT_ATTEMPTS = 5


class ConditionFailed(Exception):
    """A write whose condition did not hold; `failed` are the places of such writes in the transaction."""

    def __init__(self, failed: tuple[int, ...]) -> None:
        super().__init__(f"conditions {failed} failed")
        self.failed = failed


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression in DynamoDB's language in which `#x` is the attribute x and `:x` is `values["x"]`."""

    expression: str
    values: Item = field(default_factory=dict)


ABSENT = Condition("attribute_not_exists(#pk)")
PRESENT = Condition("attribute_exists(#pk)")


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole item."""

    item: Item
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Change some attributes; a None in `set` removes the attribute."""

    row: Row
    set: Item = field(default_factory=dict)
    add: dict[str, int] = field(default_factory=dict)
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an item."""

    row: Row
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Only a condition on an item, inside a transaction."""

    row: Row
    when: Condition


type Write = Put | Update | Delete | Check


class Table:
    """The table behind a boto3 DynamoDB client."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def get(self, row: Row) -> Item | None:
        """The item, read consistently."""
        with translated("DynamoDB"):
            answer = self._client.get_item(TableName=self._name, Key=_key(row), ConsistentRead=True)
        return _from_wire(answer["Item"]) if "Item" in answer else None

    def write(self, write: Write) -> Item:
        """One conditional write; the item as it is afterwards (empty after a delete).

        Raises:
            ConditionFailed: the condition did not hold.
        """
        operation, request = self._request(write)
        if operation == "Update":
            request["ReturnValues"] = "ALL_NEW"
        try:
            with translated("DynamoDB"):
                answer = getattr(self._client, f"{operation.lower()}_item")(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise ConditionFailed((0,)) from error
            raise
        return _from_wire(answer["Attributes"]) if "Attributes" in answer else {}

    def transact(self, writes: Iterable[Write]) -> None:
        """All writes or none.

        Raises:
            ConditionFailed: with the places of the writes whose conditions did not hold.
            Unavailable: other transactions on the same rows were in the way, again and again.
        """
        items = [dict([self._request(write)]) for write in writes]
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
            with translated("DynamoDB"):
                self._client.transact_write_items(TransactItems=items)
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            reasons = error.response.get("CancellationReasons", [])
            return tuple(at for at, reason in enumerate(reasons) if reason.get("Code") == "ConditionalCheckFailed")
        return None

    def page(self, pk: str, prefix: str, limit: int, cursor: str | None) -> Page[Item]:
        """Items of a partition whose sort key has the prefix, last first."""
        request: dict[str, Any] = self._query(pk, prefix) | {"ScanIndexForward": False, "Limit": limit}
        if cursor:
            request["ExclusiveStartKey"] = _key((pk, prefix + _decode_cursor(cursor)))
        with translated("DynamoDB"):
            answer = self._client.query(**request)
        last = answer.get("LastEvaluatedKey")
        after = _encode_cursor(last["sk"]["S"].removeprefix(prefix)) if last else None
        return Page([_from_wire(item) for item in answer["Items"]], after)

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
            with translated("DynamoDB"):
                answer = self._client.query(
                    TableName=self._name,
                    IndexName=DUE_INDEX,
                    KeyConditionExpression="due_shard = :shard AND due_at <= :now",
                    ExpressionAttributeValues=_to_wire({":shard": f"DUE#{shard}", ":now": int(now)}),
                    Limit=limit,
                )
            yield from ((item["pk"]["S"], item["sk"]["S"]) for item in answer["Items"])

    def _query(self, pk: str, prefix: str) -> dict[str, Any]:
        return {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": _to_wire({":pk": pk, ":prefix": prefix}),
            "ConsistentRead": True,
        }

    def _request(self, write: Write) -> tuple[str, dict[str, Any]]:
        request: dict[str, Any] = {"TableName": self._name}
        names: set[str] = set()
        values: Item = {}
        if write.when:
            request["ConditionExpression"] = write.when.expression
            names |= _names_in(write.when.expression)
            values |= write.when.values
        match write:
            case Put():
                request["Item"] = _to_wire(_without_none(write.item))
            case Update():
                request["Key"] = _key(write.row)
                request["UpdateExpression"], used, given = _update_expression(write)
                names |= used
                values |= given
            case Delete() | Check():
                request["Key"] = _key(write.row)
        if names:
            request["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
        if values:
            request["ExpressionAttributeValues"] = _to_wire({f":{name}": value for name, value in values.items()})
        operation = "ConditionCheck" if isinstance(write, Check) else type(write).__name__
        return operation, request


def due(key: str, at: float) -> Item:
    """The attributes that put a row into the index of due rows."""
    return {"due_shard": f"DUE#{sum(key.encode()) % DUE_SHARDS}", "due_at": int(at)}


NOT_DUE: Item = {"due_shard": None, "due_at": None}


def _key(row: Row) -> dict[str, Any]:
    return {"pk": {"S": row[0]}, "sk": {"S": row[1]}}


def _without_none(item: Item) -> Item:
    return {name: value for name, value in item.items() if value is not None}


def _names_in(expression: str) -> set[str]:
    words = expression.replace("(", " ").replace(")", " ").replace(",", " ").split()
    return {word[1:] for word in words if word.startswith("#")}


def _update_expression(update: Update) -> tuple[str, set[str], Item]:
    kept = _without_none(update.set)
    removed = [name for name, value in update.set.items() if value is None]
    parts = []
    if kept:
        parts.append("SET " + ", ".join(f"#{name} = :set_{name}" for name in kept))
    if removed:
        parts.append("REMOVE " + ", ".join(f"#{name}" for name in removed))
    if update.add:
        parts.append("ADD " + ", ".join(f"#{name} :add_{name}" for name in update.add))
    values = {f"set_{name}": value for name, value in kept.items()}
    values |= {f"add_{name}": value for name, value in update.add.items()}
    return " ".join(parts), {*update.set, *update.add}, values


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


def _to_wire(item: Item) -> dict[str, Any]:
    return {name: _value_to_wire(value) for name, value in item.items()}


def _value_to_wire(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": repr(value)}
        case None:
            return {"NULL": True}
        case dict():
            return {"M": _to_wire(value)}
        case list() | tuple():
            return {"L": [_value_to_wire(element) for element in value]}
    raise TypeError(f"a row cannot hold {type(value).__name__}")


def _from_wire(item: dict[str, Any]) -> Item:
    return {name: _value_from_wire(value) for name, value in item.items()}


def _value_from_wire(wire: dict[str, Any]) -> Any:
    ((kind, value),) = wire.items()
    match kind:
        case "N":
            return int(value) if value.lstrip("-").isdecimal() else float(value)
        case "NULL":
            return None
        case "M":
            return _from_wire(value)
        case "L":
            return [_value_from_wire(element) for element in value]
    return value
