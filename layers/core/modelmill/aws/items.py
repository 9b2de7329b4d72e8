"""Plain Python values and dataclasses to DynamoDB's attribute values and back."""

from dataclasses import MISSING, asdict, fields
from typing import Any

from modelmill.aws.layout import Row

type Item = dict[str, Any]


def row_key(row: Row) -> dict[str, Any]:
    """The primary key of a row."""
    return {"pk": {"S": row[0]}, "sk": {"S": row[1]}}


def to_item(record: Any, row: Row) -> Item:
    """The item of a dataclass."""
    return {"pk": row[0], "sk": row[1], **asdict(record)}


def from_item[Record](record: type[Record], item: Item) -> Record:
    """The dataclass of an item: unknown attributes are left out, an absent one is its default, else None."""
    known = fields(record)  # type: ignore[arg-type]
    absent = {field.name: None for field in known if field.default is MISSING and field.default_factory is MISSING}
    return record(**absent | {field.name: item[field.name] for field in known if field.name in item})


def to_wire(item: Item) -> dict[str, Any]:
    """An item as DynamoDB takes it."""
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
            return {"M": to_wire(value)}
        case list() | tuple():
            return {"L": [_value_to_wire(element) for element in value]}
    raise TypeError(f"a row cannot hold {type(value).__name__}")


def from_wire(item: dict[str, Any]) -> Item:
    """An item that DynamoDB gave."""
    return {name: _value_from_wire(value) for name, value in item.items()}


def _value_from_wire(wire: dict[str, Any]) -> Any:
    ((kind, value),) = wire.items()
    match kind:
        case "N":
            return int(value) if value.lstrip("-").isdecimal() else float(value)
        case "NULL":
            return None
        case "M":
            return from_wire(value)
        case "L":
            return [_value_from_wire(element) for element in value]
    return value
