"""The protobuf wire format, as far as reading fields one after the other needs it.

https://protobuf.dev/programming-guides/encoding/
"""

import re
from collections.abc import Iterator, Mapping

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

_LARGEST = 2**64 - 1


class Malformed(ValueError):
    """Bytes that are not the message that they should be."""


def fields(
    content: bytes, position: int, end: int, runs: Mapping[int, re.Pattern[bytes]]
) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, value (its start, for all but varints) and end of each field in `content[position:end]`.

    runs: by the first byte of a field, what matches a series of such fields that is not wanted.

    Raises:
        Malformed: not fields from start to end.
    """
    while position < end:
        tag = content[position]
        if tag in runs:
            skipped = runs[tag].match(content, position, end)
            if skipped:
                position = skipped.end()
                continue
        if tag < 0x80:
            position += 1
        else:
            tag, position = varint(content, position, min(end, position + 5))
        if tag >> 32 or tag < 8:
            raise Malformed("a field has no valid number")
        wire = tag & 7
        value = position
        if wire == BYTES:
            size, value = varint(content, position, end)
            position = value + size
        elif wire == VARINT:
            value, position = varint(content, position, end)
        elif wire in (FIXED32, FIXED64):
            position += 4 if wire == FIXED32 else 8
        else:
            raise Malformed("a field has no known wire type")
        if position > end:
            raise Malformed("a field ends outside of its message")
        yield tag >> 3, wire, value, position


def varint(content: bytes, position: int, end: int) -> tuple[int, int]:
    """The number at `position` and where it ends; of more than 64 bits the lower ones, as protobuf reads it."""
    result = shift = 0
    end = min(end, position + 10)
    while position < end:
        byte = content[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & _LARGEST, position
        shift += 7
    raise Malformed("a number does not end")


def varints(content: bytes, position: int, end: int, most: int) -> list[int]:
    """At most `most` packed signed 64-bit numbers.

    Raises:
        Malformed: there are more, or the last one does not end.
    """
    found: list[int] = []
    while position < end:
        value, position = varint(content, position, end)
        found.append(signed(value))
        if len(found) > most:
            raise Malformed(f"more than {most} numbers where a shape should be")
    return found


def signed(value: int) -> int:
    """The two's complement of 64 bits."""
    return value - 2**64 if value >> 63 else value
