"""Large bodies of infer calls, read with simdjson, which gives whole arrays of numbers at once.

What it does not take as it is, or takes in another way than orjson, is left to orjson: so both readers accept the same
bodies and give the same tensors.
"""

from typing import Any

import numpy as np

from modelmill.serving.tensor_plan import TensorPlan
from modelmill.serving.tensors import MISFITS

# Below this, importing simdjson costs a cold process more than it saves.
SMALLEST = 16 * 1024
# Larger bodies do not leave their buffers in memory.
LARGEST_KEPT = 1024 * 1024

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DTYPES = {"d": np.dtype(np.float64), "i": np.dtype(np.int64), "u": np.dtype(np.uint64)}
_UNREADABLE = (*MISFITS, KeyError, MemoryError, RuntimeError)


class LargeJson:
    """Keeps a parser and its buffers between bodies."""

    def __init__(self) -> None:
        self._parser: Any = None

    def read(self, text: bytes, plan: TensorPlan) -> dict[str, Any] | None:
        """The body of an infer call as orjson gives it, but with the `data` of numeric inputs as flat arrays.

        None where orjson must read it.
        """
        if text.startswith(_BYTE_ORDER_MARK):
            return None
        import simdjson

        parser = self._parser or simdjson.Parser()
        self._parser = None
        try:
            document = _document(parser, text, plan)
        except _UNREADABLE:
            return None
        if len(text) <= LARGEST_KEPT:
            self._parser = parser
        return document


def _document(parser: Any, text: bytes, plan: TensorPlan) -> dict[str, Any] | None:
    root = _members(parser.parse(text))
    inputs = [_members(given) for given in root["inputs"]]
    for given in inputs:
        slot = plan.inputs[given["name"]]
        if "data" in given and slot.codec.numbers:
            numbers = given["data"].as_buffer(of_type=slot.codec.numbers)
            given["data"] = slot.codec.from_numbers(np.frombuffer(numbers, _DTYPES[slot.codec.numbers]))
    document = {name: _plain(value) for name, value in root.items() if name != "inputs"}
    document["inputs"] = [{name: _plain(value) for name, value in given.items()} for given in inputs]
    return document


def _members(found: Any) -> dict[str, Any]:
    """The members of an object, not yet converted."""
    names = list(found.keys())
    members = {name: found[name] for name in names}
    if len(members) != len(names):
        raise ValueError("a name is there twice, of which orjson takes the last")
    return members


def _plain(value: Any) -> Any:
    if hasattr(value, "as_dict"):
        return value.as_dict()
    return value.as_list() if hasattr(value, "as_list") else value
