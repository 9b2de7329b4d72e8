"""Decode: instances of a request to the tensors of a graph."""

import struct
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelmill.datasets.values import MISSING
from modelmill.models.signature import Feature, Signature
from modelmill.serving.calendar_parts import calendar_parts
from modelmill.serving.mismatch import mismatch
from modelmill.serving.tensors import Tensors

type Instance = dict[str, Any] | list[Any]
type Row = tuple[Any, ...]
type Convert = Callable[[list[Row], set[type]], NDArray[Any]]

_FLOAT64 = np.dtype(np.float64)

# What counts as missing in an uploaded file does so in a request.
_MISSING: dict[str | None, str] = {None: "", **dict.fromkeys(MISSING, "")}


def _numbers(width: int) -> Convert:
    pack = struct.Struct(f"={width}d").pack

    def convert(rows: list[Row], types: set[type]) -> NDArray[Any]:
        if NoneType in types:
            return np.array(rows, dtype=_FLOAT64)
        # Three times faster than numpy's own reading of tuples.
        packed = pack(*rows[0]) if len(rows) == 1 else b"".join([pack(*row) for row in rows])
        return np.frombuffer(packed, _FLOAT64).reshape(len(rows), width)

    return convert


def _timestamps(_width: int) -> Convert:
    def convert(rows: list[Row], _types: set[type]) -> NDArray[Any]:
        return np.array([[part for text in row for part in calendar_parts(text)] for row in rows], dtype=_FLOAT64)

    return convert


def _categories(_width: int) -> Convert:
    def convert(rows: list[Row], _types: set[type]) -> NDArray[Any]:
        return np.array([[_MISSING.get(text, text) for text in row] for row in rows], dtype=object)

    return convert


class Codec(NamedTuple):
    """How columns of some types are read: the Python types that JSON may give, and what converts so many columns.

    converter: for a number of columns, what turns rows and the types that they hold into [N, places].
    """

    accepts: frozenset[type]
    converter: Callable[[int], Convert]


_NUMBER = Codec(frozenset({float, int, NoneType}), _numbers)

CODECS: dict[str, Codec] = {
    "number": _NUMBER,
    "integer": _NUMBER,
    "boolean": Codec(frozenset({bool, NoneType}), _numbers),
    "timestamp": Codec(frozenset({str, NoneType}), _timestamps),
    "category": Codec(frozenset({str, NoneType}), _categories),
}


class _Group:
    """The columns of one tensor that share a codec, so that a request is checked and converted a few times only."""

    __slots__ = ("_accepts", "_by_name", "_by_place", "_convert", "places")

    def __init__(self, codec: Codec, members: list[tuple[int, Feature]]) -> None:
        self._accepts = codec.accepts
        self._convert = codec.converter(len(members))
        self._by_name = _getter([feature.name for _, feature in members])
        self._by_place = _getter([order for order, _ in members])
        self.places = _compact([feature.index + part for _, feature in members for part in range(feature.width)])

    def read(self, instances: list[Any], named: bool) -> NDArray[Any]:
        """The group's columns, [N, places]."""
        get = self._by_name if named else self._by_place
        if len(instances) == 1:
            rows = [get(instances[0])]
            types = set(map(type, rows[0]))
        else:
            rows = list(map(get, instances))
            types = set(map(type, chain.from_iterable(rows)))
        if not types <= self._accepts:
            raise TypeError("a value has another type than its column")
        return self._convert(rows, types)


class TabularDecoder:
    """Instances to `numeric` float64 [N, k] and `categorical` object [N, c], whichever of them the graph takes."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._width = len(signature.features)
        self._readers = [
            (tensor.name, _reader(tensor.shape[1], _groups(signature, tensor.name))) for tensor in signature.inputs
        ]

    def __call__(self, instances: list[Any]) -> Tensors:
        """The tensors of objects of named columns in any order, or of arrays in signature order.

        Raises:
            SignatureMismatch: names every column of the first instance that does not fit.
        """
        try:
            named = self._are_named(instances)
            return {name: read(instances, named) for name, read in self._readers}
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise mismatch(instances, self._signature) from error

    def _are_named(self, instances: list[Any]) -> bool:
        form = type(instances[0])
        if form is not dict and form is not list:
            raise TypeError("instances are neither objects nor arrays")
        for instance in instances:
            if type(instance) is not form or len(instance) != self._width:
                raise ValueError("an instance is unlike the first, or lacks columns, or has too many")
        return form is dict


def _reader(width: int, groups: list[_Group]) -> Callable[[list[Any], bool], NDArray[Any]]:
    """What reads one tensor, [N, width]."""
    if len(groups) == 1:
        return groups[0].read

    def read(instances: list[Any], named: bool) -> NDArray[Any]:
        tensor = np.empty((len(instances), width), dtype=_FLOAT64)
        for group in groups:
            tensor[:, group.places] = group.read(instances, named)
        return tensor

    return read


def _groups(signature: Signature, tensor: str) -> list[_Group]:
    """Only `numeric` has columns of several codecs."""
    members: dict[Codec, list[tuple[int, Feature]]] = {}
    for order, feature in sorted(enumerate(signature.features), key=lambda pair: pair[1].index):
        if feature.input == tensor:
            members.setdefault(CODECS[feature.type], []).append((order, feature))
    return [_Group(codec, group) for codec, group in members.items()]


def _compact(places: list[int]) -> slice | list[int]:
    """Neighbouring places as a slice, which numpy takes faster."""
    first, last = places[0], places[-1]
    return slice(first, last + 1) if places == list(range(first, last + 1)) else places


def _getter(keys: Sequence[Any]) -> Callable[[Any], Row]:
    if len(keys) == 1:
        key = keys[0]
        return lambda instance: (instance[key],)
    return itemgetter(*keys)
