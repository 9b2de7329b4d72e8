"""Decode: instances of a request to the tensors of a graph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill.models.signature import Feature, Signature
from modelmill.serving.calendar_parts import calendar_parts
from modelmill.serving.mismatch import mismatch

type Instance = dict[str, Any] | list[Any]
type Row = tuple[Any, ...]
type Tensors = dict[str, NDArray[Any]]

_DTYPES: dict[str, type] = {"numeric": np.float64, "categorical": object}


def _numbers(rows: list[Row]) -> NDArray[Any]:
    return np.array(rows, dtype=np.float64)


def _timestamps(rows: list[Row]) -> NDArray[Any]:
    return np.array([[part for text in row for part in calendar_parts(text)] for row in rows], dtype=np.float64)


def _categories(rows: list[Row]) -> NDArray[Any]:
    return np.array([["" if text is None else text for text in row] for row in rows], dtype=object)


@dataclass(frozen=True, slots=True)
class Codec:
    """How columns of some types are read: the Python types that JSON may give, and rows of them to an array."""

    accepts: frozenset[type]
    convert: Callable[[list[Row]], NDArray[Any]]


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

    __slots__ = ("by_name", "by_place", "codec", "places", "tensor")

    def __init__(self, codec: Codec, tensor: str, members: list[tuple[int, Feature]]) -> None:
        self.codec = codec
        self.tensor = tensor
        self.by_name = _getter([feature.name for _, feature in members])
        self.by_place = _getter([order for order, _ in members])
        self.places = [feature.index + part for _, feature in members for part in range(feature.width)]


class TabularDecoder:
    """Instances to `numeric` float64 [N, k] and `categorical` object [N, c], whichever of them the graph takes."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._width = len(signature.features)
        self._tensors = {tensor.name: tensor.shape[1] for tensor in signature.inputs}
        self._groups = _groups(signature)
        self._whole = len(self._groups) == len(self._tensors)

    def __call__(self, instances: list[Any]) -> Tensors:
        """The tensors of objects of named columns in any order, or of arrays in signature order.

        Raises:
            SignatureMismatch: names every column of the first instance that does not fit.
        """
        try:
            converted = self._convert(instances)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise mismatch(instances, self._signature) from error
        if self._whole:
            return {group.tensor: values for group, values in zip(self._groups, converted, strict=True)}
        return self._placed(converted, len(instances))

    def _convert(self, instances: list[Any]) -> list[NDArray[Any]]:
        forms = set(map(type, instances))
        if forms != {dict} and forms != {list}:
            raise TypeError("instances are neither all objects nor all arrays")
        if set(map(len, instances)) != {self._width}:
            raise ValueError("columns are missing or too many")
        named = forms == {dict}
        return [
            _read(group.codec, map(group.by_name if named else group.by_place, instances)) for group in self._groups
        ]

    def _placed(self, converted: list[NDArray[Any]], count: int) -> Tensors:
        tensors: Tensors = {name: np.empty((count, width), _DTYPES[name]) for name, width in self._tensors.items()}
        for group, values in zip(self._groups, converted, strict=True):
            tensors[group.tensor][:, group.places] = values
        return tensors


def _read(codec: Codec, rows: "map[Row]") -> NDArray[Any]:
    read = list(rows)
    if not codec.accepts.issuperset(map(type, chain.from_iterable(read))):
        raise TypeError("a value has another type than its column")
    return codec.convert(read)


def _groups(signature: Signature) -> list[_Group]:
    members: dict[tuple[str, Codec], list[tuple[int, Feature]]] = {}
    for order, feature in sorted(enumerate(signature.features), key=lambda pair: pair[1].index):
        members.setdefault((feature.input, CODECS[feature.type]), []).append((order, feature))
    return [_Group(codec, tensor, group) for (tensor, codec), group in members.items()]


def _getter(keys: Sequence[Any]) -> Callable[[Any], Row]:
    if len(keys) == 1:
        key = keys[0]
        return lambda instance: (instance[key],)
    return itemgetter(*keys)


# By the kind of a signature.
DECODERS: dict[str, Callable[[Signature], Callable[[list[Any]], Tensors]]] = {"tabular": TabularDecoder}
