"""What an ONNX file says of itself, read from its bytes without opening anything that it points to.

The walk knows the messages in which tensors, nodes and graphs can lie (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto)
and the wire format (https://protobuf.dev/programming-guides/encoding/); everything else is skipped.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_NODES = 200_000
MAX_DEPTH = 8
MAX_WAITING = 1_000_000

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Message: field number -> message of that field.
_CHILDREN: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 8: "Opset", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 9: "Opset", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Opset": {},
    "Tensor": {},
}

# Lists of floats, ints and short strings in an Attribute make up most of a forest and are skipped at a stroke: by the
# first byte of a field.
_SHORT_STRINGS = b"|".join(re.escape(bytes([size])) + b"[\x00-\xff]{%d}" % size for size in range(40))
_RUNS = {
    0x3D: re.compile(rb"(?:\x3d[\x00-\xff]{4})++"),
    0x40: re.compile(rb"(?:\x40[\x80-\xff]{0,9}[\x00-\x7f])++"),
    0x4A: re.compile(rb"(?:\x4a(?:" + _SHORT_STRINGS + rb"))++"),
}


@dataclass(slots=True)
class GraphFacts:
    """opsets: domains and versions. external: whether any tensor's data lies outside of the file."""

    ir_version: int = 0
    opsets: set[tuple[str, int]] = field(default_factory=set)
    domains: set[str] = field(default_factory=set)
    nodes: int = 0
    functions: int = 0
    depth: int = 0
    external: bool = False


def read_facts(content: bytes) -> GraphFacts:
    """The facts of a serialized model.

    Raises:
        ValueError: not protobuf, or nodes or nesting beyond all measure.
    """
    facts = GraphFacts()
    waiting = [("Model", 0, len(content), 0)]
    while waiting:
        message, start, end, depth = waiting.pop()
        if message in ("Graph", "Function"):
            depth += 1
            facts.depth = max(facts.depth, depth)
        _count(facts, message)
        children = _CHILDREN[message]
        opset: list[int | bytes] = [b"", 0]
        for number, wire, value, after in _fields(content, start, end, _RUNS if message == "Attribute" else {}):
            if number in children and wire == _BYTES:
                waiting.append((children[number], value, after, depth))
                if len(waiting) > MAX_WAITING:
                    raise ValueError(f"more than {MAX_WAITING} parts")
            elif message == "Tensor" and number in (13, 14):
                facts.external |= wire != _VARINT or value != 0
            elif message == "Model" and number == 1:
                facts.ir_version = value
            elif message == "Node" and number == 7:
                facts.domains.add(_text(content, value, after, wire))
            elif message == "Opset" and number in (1, 2):
                opset[number - 1] = content[value:after] if wire == _BYTES else value
        if message == "Opset":
            _add_opset(facts, opset)
    return facts


def _count(facts: GraphFacts, message: str) -> None:
    facts.nodes += message == "Node"
    facts.functions += message == "Function"
    if facts.nodes > MAX_NODES or facts.depth > MAX_DEPTH:
        raise ValueError(f"more than {MAX_NODES} nodes, or graphs nested deeper than {MAX_DEPTH}")


def _add_opset(facts: GraphFacts, opset: list[int | bytes]) -> None:
    domain, version = opset
    if not isinstance(domain, bytes) or not isinstance(version, int):
        raise ValueError("an operator set is not a domain and a version")
    facts.opsets.add((domain.decode(errors="replace"), version))


def _text(content: bytes, start: int, end: int, wire: int) -> str:
    if wire != _BYTES:
        raise ValueError("a name is not a string")
    return content[start:end].decode(errors="replace")


def _fields(
    content: bytes, position: int, end: int, runs: dict[int, re.Pattern[bytes]]
) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, value (its start, for bytes) and end of each field in `content[position:end]`."""
    while position < end:
        run = runs.get(content[position])
        skipped = run.match(content, position, end) if run else None
        if skipped:
            position = skipped.end()
            continue
        tag, position = _varint(content, position, min(end, position + 5))
        wire = tag & 7
        if tag >> 32 or tag >> 3 == 0:
            raise ValueError("a field has no valid number")
        value = position
        if wire == _VARINT:
            value, position = _varint(content, position, min(end, position + 10))
        elif wire == _BYTES:
            size, value = _varint(content, position, min(end, position + 10))
            position = value + size
        elif wire in (_FIXED32, _FIXED64):
            position += 4 if wire == _FIXED32 else 8
        else:
            raise ValueError("a field has no known wire type")
        if position > end:
            raise ValueError("a field ends outside of its message")
        yield tag >> 3, wire, value, position


def _varint(content: bytes, position: int, end: int) -> tuple[int, int]:
    result = shift = 0
    while position < end:
        byte = content[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
    raise ValueError("a number does not end")
