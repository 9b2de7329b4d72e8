"""Conditional writes, as data, and the requests that they become."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from modelmill.aws.items import Item, row_key, to_wire
from modelmill.aws.layout import Row


class Condition(NamedTuple):
    """An expression in DynamoDB's language in which `#x` is the attribute x and `:x` is `values["x"]`."""

    expression: str
    values: Mapping[str, Any] = {}


ABSENT = Condition("attribute_not_exists(#pk)")
PRESENT = Condition("attribute_exists(#pk)")


class Put(NamedTuple):
    """Write a whole item."""

    item: Item
    when: Condition | None = None


class Update(NamedTuple):
    """Change some attributes; a None in `set` removes the attribute."""

    row: Row
    set: Mapping[str, Any] = {}
    add: Mapping[str, int] = {}
    when: Condition | None = None


class Delete(NamedTuple):
    """Remove an item."""

    row: Row
    when: Condition | None = None


class Check(NamedTuple):
    """Only a condition on an item, inside a transaction."""

    row: Row
    when: Condition


type Write = Put | Update | Delete | Check


def request_of(write: Write, table: str) -> tuple[str, dict[str, Any]]:
    """The operation (Put, Update, Delete, ConditionCheck) and its parameters."""
    request: dict[str, Any] = {"TableName": table}
    names: set[str] = set()
    values: Item = {}
    if write.when:
        request["ConditionExpression"] = write.when.expression
        names |= _names_in(write.when.expression)
        values |= write.when.values
    match write:
        case Put():
            request["Item"] = to_wire(_without_none(write.item))
        case Update():
            request["Key"] = row_key(write.row)
            request["UpdateExpression"], used, given = _update_expression(write)
            names |= used
            values |= given
        case Delete() | Check():
            request["Key"] = row_key(write.row)
    if names:
        request["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
    if values:
        request["ExpressionAttributeValues"] = to_wire({f":{name}": value for name, value in values.items()})
    operation = "ConditionCheck" if isinstance(write, Check) else type(write).__name__
    return operation, request


def _without_none(item: Mapping[str, Any]) -> Item:
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
