"""Tensors as clients write them, JSON values or bytes, to arrays and back: a table by datatype.

Bytes are in the form of Triton's binary data, little-endian and row by row; of a BYTES element 4 bytes tell the length:
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import struct
from collections.abc import Callable
from itertools import chain
from operator import methodcaller
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelmill.models.signature import Datatype

type Array = NDArray[Any]
type Tensors = dict[str, Array]

# What a codec raises for values or bytes that are none of its datatype; ArithmeticError is numpy's overflow.
MISFITS = (ArithmeticError, TypeError, ValueError, struct.error)

_BOOLEANS: set[type] = {bool}
_INTEGERS: set[type] = {int}
_NUMBERS: set[type] = {float, int}
_TEXTS: set[type] = {str}
_LENGTH = struct.Struct("<I")

_ravel = methodcaller("ravel")


class TensorCodec(NamedTuple):
    """How elements of a datatype are read and written; arrays are flat, and so are lists of JSON values.

    dtype: of the arrays that onnxruntime takes and gives.
    numbers: the form in which simdjson gives many JSON numbers of it at once: 'd' float64, 'i' int64, 'u' uint64.
    expected: what the values of it are, for messages.
    from_values, from_numbers, from_bytes: raise one of MISFITS.
    to_json: what orjson writes as an array; NaN and infinity as null, since JSON has neither.
    to_bytes: something that `b"".join` takes.
    """

    dtype: np.dtype[Any]
    numbers: str | None
    expected: str
    from_values: Callable[[list[Any]], Array]
    from_numbers: Callable[[Array], Array]
    from_bytes: Callable[[memoryview], Array]
    to_json: Callable[[Array], Any]
    to_bytes: Callable[[Array], Any]


def flat(data: list[Any]) -> list[Any]:
    """The values in nested lists, in order; the list itself where it holds no other."""
    while list in (kinds := set(map(type, data))):
        if len(kinds) > 1:
            return _flat_mixed(data)
        data = list(chain.from_iterable(data))
    return data


def first_misfit(codec: TensorCodec, values: list[Any]) -> int:
    """The place of the first value that is none of the datatype; there must be one."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        if _fit(codec, values[low:middle]):
            low = middle
        else:
            high = middle
    return low


def _fit(codec: TensorCodec, values: list[Any]) -> bool:
    try:
        codec.from_values(values)
    except MISFITS:
        return False
    return True


def _flat_mixed(data: list[Any]) -> list[Any]:
    values: list[Any] = []
    open_lists = [iter(data)]
    while open_lists:
        for value in open_lists[-1]:
            if type(value) is list:
                open_lists.append(iter(value))
                break
            values.append(value)
        else:
            open_lists.pop()
    return values


def _only(values: list[Any], types: set[type]) -> list[Any]:
    if not set(map(type, values)) <= types:
        raise TypeError("a value has another type")
    return values


def _plain(kind: str, numbers: str | None, expected: str, **changes: Callable[..., Any]) -> TensorCodec:
    """A codec of numbers, whose bytes are those of the array."""
    dtype = np.dtype(kind).newbyteorder("<")

    def from_bytes(content: memoryview) -> Array:
        array = np.frombuffer(content, dtype)
        return array if array.flags.aligned else array.copy()

    made: dict[str, Callable[..., Any]] = {"from_bytes": from_bytes, "to_json": _ravel, "to_bytes": _ravel}
    return TensorCodec(dtype, numbers, expected, **(made | changes))


def _double() -> TensorCodec:
    def from_values(values: list[Any]) -> Array:
        return np.array(_only(values, _NUMBERS), np.float64)

    return _plain("f8", "d", "numbers", from_values=from_values, from_numbers=lambda numbers: numbers)


def _float(kind: str) -> TensorCodec:
    dtype = np.dtype(kind)

    def from_numbers(numbers: Array) -> Array:
        with np.errstate(over="raise"):
            return numbers.astype(dtype)

    def from_values(values: list[Any]) -> Array:
        return from_numbers(np.array(_only(values, _NUMBERS), np.float64))

    expected = f"numbers of at most {np.finfo(dtype).max:.5g}"
    return _plain(kind, "d", expected, from_values=from_values, from_numbers=from_numbers)


def _integer(kind: str) -> TensorCodec:
    dtype = np.dtype(kind)
    lowest, highest = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)

    def from_values(values: list[Any]) -> Array:
        return np.array(_only(values, _INTEGERS), dtype)

    def from_numbers(numbers: Array) -> Array:
        if numbers.dtype == dtype or not numbers.size:
            return numbers.astype(dtype, copy=False)
        if numbers.min() < lowest or numbers.max() > highest:
            raise OverflowError("a value is out of range")
        return numbers.astype(dtype)

    expected = f"whole numbers from {lowest} to {highest}"
    return _plain(kind, "u" if kind == "u8" else "i", expected, from_values=from_values, from_numbers=from_numbers)


def _boolean() -> TensorCodec:
    def from_values(values: list[Any]) -> Array:
        return np.array(_only(values, _BOOLEANS), np.bool_)

    def from_bytes(content: memoryview) -> Array:
        array = np.frombuffer(content, np.uint8)
        if array.size and array.max() > 1:
            raise ValueError("a byte is neither 0 nor 1")
        return array.view(np.bool_)

    return _plain("?", None, "true or false", from_values=from_values, from_numbers=_no_numbers, from_bytes=from_bytes)


def _text() -> TensorCodec:
    def from_values(values: list[Any]) -> Array:
        # onnxruntime would take anything and make text of it.
        return np.array(_only(values, _TEXTS), object)

    return TensorCodec(
        np.dtype(object), None, "strings", from_values, _no_numbers, _texts_from_bytes, _texts, _texts_to_bytes
    )


def _no_numbers(_numbers: Array) -> Array:
    raise TypeError("numbers are none of this datatype")


def _texts(array: Array) -> list[str]:
    texts: list[str] = array.ravel().tolist()
    return texts


def _texts_from_bytes(content: memoryview) -> Array:
    data, place = content.tobytes(), 0
    texts: list[str] = []
    while place < len(data):
        (length,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size + length
        if place > len(data):
            raise ValueError(f"element {len(texts)} is longer than the data")
        try:
            texts.append(data[place - length : place].decode())
        except UnicodeDecodeError as error:
            raise ValueError(f"element {len(texts)} is not UTF-8") from error
    return np.array(texts, object)


def _texts_to_bytes(array: Array) -> bytes:
    parts = [text.encode() for text in _texts(array)]
    return b"".join([piece for part in parts for piece in (_LENGTH.pack(len(part)), part)])


CODECS: dict[Datatype, TensorCodec] = {
    "BOOL": _boolean(),
    "UINT8": _integer("u1"),
    "UINT16": _integer("u2"),
    "UINT32": _integer("u4"),
    "UINT64": _integer("u8"),
    "INT8": _integer("i1"),
    "INT16": _integer("i2"),
    "INT32": _integer("i4"),
    "INT64": _integer("i8"),
    "FP16": _float("f2"),
    "FP32": _float("f4"),
    "FP64": _double(),
    "BYTES": _text(),
}
