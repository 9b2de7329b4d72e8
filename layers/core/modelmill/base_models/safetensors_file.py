"""The safetensors format, read by hand: https://huggingface.co/docs/safetensors

Eight bytes, the length of a header in little endian; the header, a JSON object; the numbers of all tensors, one after
the other.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from modelmill.base_models.refusal import read_object, refuse

WEIGHTS_FILE = "model.safetensors"

PREFIX_BYTES = 8
MAX_HEADER_BYTES = 2_000_000
MAX_TENSORS = 5_000
MAX_DIMENSIONS = 8
MAX_NUMBERS = 2**31
METADATA = "__metadata__"

BYTES_OF = {
    **dict.fromkeys(("BOOL", "U8", "I8"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}


class StoredTensor(NamedTuple):
    """Where a tensor lies: `start` and `end` count bytes from the beginning of the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


def read_header(path: Path) -> dict[str, StoredTensor]:
    """The tensors by name; together they fill the file, each byte of it once.

    Raises:
        Rejected: `safetensors`, with what is wrong and where.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(PREFIX_BYTES), "little")
        if size < PREFIX_BYTES or length > size - PREFIX_BYTES:
            _refuse(f"its header has {length:,} bytes by its own word, the whole file has {size:,}")
        if length > MAX_HEADER_BYTES:
            _refuse(f"its header has {length:,} bytes; expected at most {MAX_HEADER_BYTES:,}")
        content = file.read(length)
    begin = PREFIX_BYTES + length
    entries = read_object("the header of model.safetensors", content)
    entries.pop(METADATA, None)
    if not 0 < len(entries) <= MAX_TENSORS:
        _refuse(f"it has {len(entries)} tensors; expected 1 to {MAX_TENSORS}")
    tensors = {name: _tensor(name, entry, begin) for name, entry in entries.items()}
    _check_places(tensors, begin, size)
    return tensors


def _tensor(name: str, entry: Any, begin: int) -> StoredTensor:
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [start, end]} if len(entry) == 3:
            numbers = [*shape, start, end]
        case _:
            _refuse(f"the entry of {name[:200]!r} is not dtype, shape and data_offsets")
    if dtype not in BYTES_OF:
        _refuse(f"{name[:200]!r} is of dtype {dtype[:20]!r}; expected one of {', '.join(BYTES_OF)}")
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers) or len(shape) > MAX_DIMENSIONS:
        _refuse(f"{name[:200]!r} has a shape or places that are no whole numbers, or more than 8 dimensions")
    count = math.prod(shape)
    if count > MAX_NUMBERS:
        _refuse(f"{name[:200]!r} has {count:,} numbers; expected at most {MAX_NUMBERS:,}")
    if end - start != count * BYTES_OF[dtype]:
        wanted = f"{shape} of {dtype} takes {count * BYTES_OF[dtype]:,}"
        _refuse(f"{name[:200]!r} lies in {end - start:,} bytes, but {wanted}")
    return StoredTensor(dtype, tuple(shape), begin + start, begin + end)


def _check_places(tensors: dict[str, StoredTensor], begin: int, size: int) -> None:
    """One tensor begins where the one before ends."""
    place = begin
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if tensor.start != place:
            what = "overlaps the one before it" if tensor.start < place else "leaves a gap before it"
            _refuse(f"{name[:200]!r} {what}: it begins at byte {tensor.start:,}, expected {place:,}")
        place = tensor.end
    if place != size:
        _refuse(f"its tensors end at byte {place:,}, the file ends at {size:,}")


def _refuse(message: str) -> NoReturn:
    refuse("safetensors", f"model.safetensors cannot be read: {message}")
