"""How the columns of a CSV become instances: by name for trained models, by place for uploaded ones."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from modelmill_client.cells import CellError, to_instance, to_value
from modelmill_client.errors import InvalidInput

_WHOLE = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})


class Columns(Protocol):
    """What a model takes of a CSV."""

    def fit(self, header: Sequence[str]) -> bool:
        """Whether a header, split at one of several possible delimiters, is the one that is meant."""

    def check(self, header: Sequence[str]) -> None:
        """Pass when rows under this header can be read.

        Raises:
            InvalidInput: names what is wrong with it.
        """

    def unused(self, header: Sequence[str]) -> list[str]:
        """The columns that the model does not know."""

    def instance(self, header: Sequence[str], cells: Sequence[str]) -> Any:
        """The instance for a row.

        Raises:
            CellError: a cell does not hold what the model expects there.
        """


def columns_of(signature: Mapping[str, Any]) -> Columns:
    """What a model with this signature takes of a CSV.

    Raises:
        InvalidInput: its inputs cannot be filled from rows of cells.
    """
    if signature["kind"] == "tensor":
        return PlacedColumns(signature["inputs"])
    if signature["kind"] == "image":
        raise InvalidInput("the model takes pictures; give files with --image, or base64 as JSON lines with --jsonl")
    if signature["kind"] == "timeseries":
        return NamedColumns(history_columns(signature))
    return (TextColumn if signature["kind"] == "text" else NamedColumns)(signature["features"])


def history_columns(signature: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The columns of the rows of history that a forecast is made from: time, series where there are several, value."""
    forecast = signature["forecast"]
    typed = {forecast["time"]: "timestamp", forecast["series"]: "category", forecast["value"]: "number"}
    named = [{"name": name, "type": type_} for name, type_ in typed.items() if name is not None]
    return [*named, *signature["features"]]


class NamedColumns:
    """At least the columns of the signature, in any order."""

    def __init__(self, features: Sequence[Mapping[str, Any]]) -> None:
        self._features = features
        self._names = {feature["name"] for feature in features}

    def fit(self, header: Sequence[str]) -> bool:
        """Whether all columns of the signature are there."""
        return self._names <= set(header)

    def check(self, header: Sequence[str]) -> None:
        """Pass when each column of the signature is there once."""
        missing = sorted(self._names - set(header))
        if missing:
            expected = _listed([feature["name"] for feature in self._features])
            raise InvalidInput(f"the CSV lacks {_listed(missing)}, expected all of {expected}")
        repeated = [feature["name"] for feature in self._features if header.count(feature["name"]) > 1]
        if repeated:
            raise InvalidInput(f"the CSV has more than one column {_listed(repeated)}, expected one of each name")

    def unused(self, header: Sequence[str]) -> list[str]:
        """The columns that are not in the signature."""
        return [name for name in header if name not in self._names]

    def instance(self, header: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
        """An object of named columns."""
        return to_instance(dict(zip(header, cells, strict=True)), self._features)


class TextColumn(NamedColumns):
    """The one column of texts, in which nothing stands for a missing value."""

    def instance(self, header: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
        """An object of one text."""
        return {name: cell for name, cell in zip(header, cells, strict=True) if name in self._names}


class PlacedColumns:
    """From left to right the values of a model's one input, which takes rows: its shape is [-1, columns]."""

    def __init__(self, inputs: Sequence[Mapping[str, Any]]) -> None:
        if len(inputs) != 1 or len(inputs[0]["shape"]) != 2:
            shown = ", ".join(f"{tensor['name']} {tensor['shape']}" for tensor in inputs)
            raise InvalidInput(
                f"the model takes {shown}, but a CSV can only fill one input of the shape [-1, columns]; "
                "give JSON lines with --jsonl instead"
            )
        self._name = inputs[0]["name"]
        self._width = inputs[0]["shape"][1]
        self._datatype = inputs[0]["datatype"]

    def fit(self, header: Sequence[str]) -> bool:
        """Whether there are as many columns as the input takes."""
        return len(header) == self._width if self._width > 0 else len(header) > 1

    def check(self, header: Sequence[str]) -> None:
        """Pass when there are as many columns as the input takes, and their names above them."""
        if 0 < self._width != len(header):
            raise InvalidInput(
                f"the CSV has {len(header)} columns, but the model's input {self._name!r} takes {self._width}: "
                "give exactly these, in order"
            )
        counted = [str(place) for place in range(len(header))]
        if all(_is_number(name) for name in header) and list(header) != counted and self._datatype != "BYTES":
            raise InvalidInput(f"the CSV begins with {_listed(header)}, expected a line with the names of the columns")

    def unused(self, header: Sequence[str]) -> list[str]:  # noqa: ARG002 as the protocol has it
        """None: each column has its place."""
        return []

    def instance(self, header: Sequence[str], cells: Sequence[str]) -> list[Any]:
        """The input's bare value, a row."""
        return [self._value(name, cell) for name, cell in zip(header, cells, strict=True)]

    def _value(self, name: str, cell: str) -> Any:
        if self._datatype == "BYTES":
            return cell
        kind = "boolean" if self._datatype == "BOOL" else "integer" if self._datatype in _WHOLE else "number"
        value = to_value(cell, {"name": name, "type": kind})
        if value is None or (kind == "integer" and isinstance(value, float)):
            expected = {"boolean": "true or false", "integer": "a whole number", "number": "a number"}[kind]
            raise CellError(
                f"column {name!r} has {cell[:40]!r}, expected {expected}: the model takes no missing values"
            )
        return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names]
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")
