"""What an ONNX file says of itself, read from its bytes without opening anything that it points to.

The walk knows the messages in which tensors, nodes and graphs can lie, everything else is skipped:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

from modelmill.models.wire import BYTES, VARINT, Malformed, fields, signed, varints

MAX_FIELDS = 5_000_000
MAX_NODES = 200_000
MAX_DEPTH = 16
MAX_WAITING = 1_000_000
MAX_RANK = 64
# 1 GB of FP32.
MAX_ELEMENTS = 2**28
MAX_NAME = 1024
MAX_LOCATIONS = 10
MAX_FEW = 20
MAX_KEPT = 100

# The smallest elements have two bits.
_ELEMENTS_PER_BYTE = 4
_INT64 = 7

# Message: field number -> message of that field.
_CHILDREN: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 8: "Opset", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 9: "Opset", 11: "Attribute", 12: "ValueInfo"},
    "Graph": {1: "Node", 5: "Tensor", 11: "ValueInfo", 12: "ValueInfo", 13: "ValueInfo", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "ValueInfo": {2: "Type"},
    "Type": {1: "TensorType", 8: "TensorType"},
    "TensorType": {2: "Shape"},
    "Shape": {1: "Dimension"},
    "Opset": {},
    "Tensor": {},
}
# Fields that are read, not walked into.
_OWN: dict[str, frozenset[int]] = {
    "Model": frozenset({1, 2, 3}),
    "Function": frozenset({1, 10, 13}),
    "Node": frozenset({1, 2, 4, 7, 8}),
    "Opset": frozenset({1, 2}),
    "Tensor": frozenset({1, 2, 7, 8, 9, 13, 14}),
    "SparseTensor": frozenset({3}),
}
# Messages that stand once. Of two, protobuf would make one that nobody wrote.
_ONCE: dict[str, frozenset[int]] = {
    "Model": frozenset({7}),
    "Training": frozenset({1, 2}),
    "Attribute": frozenset({5, 6, 22}),
    "SparseTensor": frozenset({1, 2}),
    "ValueInfo": frozenset({2}),
    "Type": frozenset({1, 8}),
    "TensorType": frozenset({2}),
}

# Lists of floats, ints and short strings make up most of a forest and are skipped at a stroke.
_SHORT_STRINGS = b"|".join(re.escape(bytes([size])) + b"[\x00-\xff]{%d}" % size for size in range(40))
_RUNS: dict[str, dict[int, re.Pattern[bytes]]] = {
    "Attribute": {
        0x3D: re.compile(rb"(?:\x3d[\x00-\xff]{4})++"),
        0x40: re.compile(rb"(?:\x40[\x80-\xff]{0,9}[\x00-\x7f])++"),
        0x4A: re.compile(rb"(?:\x4a(?:" + _SHORT_STRINGS + rb"))++"),
    },
    "Tensor": {0x32: re.compile(rb"(?:\x32(?:" + _SHORT_STRINGS + rb"))++")},
}

# The input that tells an output's shape.
_SHAPED_BY = {"ConstantOfShape": 0, "Expand": 1}


class TooComplex(ValueError):
    """More of something than any model that is served here has."""


class Operator(NamedTuple):
    """What a node calls: an operator, or a function of the model. `overload` is of functions only."""

    domain: str
    name: str
    overload: str = ""


@dataclass(slots=True)
class Body:
    """The nodes of a function, or of the model outside of functions, with those of their subgraphs.

    depths: how deep in subgraphs an operator lies at most.
    """

    called: Operator | None = None
    operators: Counter[Operator] = field(default_factory=Counter)
    depths: dict[Operator, int] = field(default_factory=dict)


@dataclass(slots=True)
class GraphFacts:
    """opsets: domains and versions. bodies: the model's own nodes first, then one for each function.

    external: how many tensors' data lies outside of the file, at some of the `locations`, none behind `external_end`.
    tensor_bytes: of the data that lies inside.
    """

    ir_version: int = 0
    producer: str = ""
    producer_version: str = ""
    opsets: set[tuple[str, int]] = field(default_factory=set)
    bodies: list[Body] = field(default_factory=lambda: [Body()])
    nodes: int = 0
    graphs: int = 0
    tensor_bytes: int = 0
    external: int = 0
    external_end: int = 0
    locations: set[str] = field(default_factory=set)


class _Part(NamedTuple):
    """A message to be read. `name`: of the tensor that it is about, where that is known."""

    message: str
    start: int
    end: int
    body: Body
    depth: int = 0
    name: str = ""


# Of one message: field number -> wire type, value and end of each, the last one at least.
type _Values = dict[int, list[tuple[int, int, int]]]
type _Inside = list[tuple[int, int, int]]


def read_facts(content: bytes) -> GraphFacts:
    """The facts of a serialized model.

    Raises:
        Malformed: not such a model.
        TooComplex: beyond all measure.
    """
    return _Walk(content).facts


class _Walk:
    def __init__(self, content: bytes) -> None:
        self.facts = GraphFacts()
        self._content = content
        self._fields = 0
        self._huge: set[str] = set()
        self._shapes: set[str] = set()
        self._readers = {
            "Model": self._read_model,
            "Graph": self._read_graph,
            "Function": self._read_function,
            "Node": self._read_node,
            "Opset": self._read_opset,
            "Tensor": self._read_tensor,
            "SparseTensor": self._read_sparse,
            "Shape": self._read_shape,
        }
        self._waiting = [_Part("Model", 0, len(content), self.facts.bodies[0])]
        while self._waiting:
            self._read(self._waiting.pop())
        if self._huge & self._shapes:
            raise TooComplex(f"an output has more than {MAX_ELEMENTS} elements")

    def _read(self, part: _Part) -> None:
        message = part.message
        children, own, once = _CHILDREN[message], _OWN.get(message, ()), _ONCE.get(message, ())
        values: _Values = {}
        inside: _Inside = []
        count = self._fields
        for number, wire, value, after in fields(self._content, part.start, part.end, _RUNS.get(message, {})):
            count += 1
            if count > MAX_FIELDS:
                raise TooComplex(f"the file has more than {MAX_FIELDS} fields")
            if number in own:
                _keep(values, number, (wire, value, after))
            elif number in children and wire == BYTES:
                inside.append((number, value, after))
                if len(inside) > MAX_WAITING:
                    break
        self._fields = count
        if once:
            seen = Counter(number for number, _, _ in inside if number in once)
            if any(times > 1 for times in seen.values()):
                raise Malformed(f"a {message} has two of what it can have one of")
        reader = self._readers.get(message)
        known = reader(part, values, inside) if reader else part
        if known is not None:
            self._waiting += [
                _Part(children[n], start, end, known.body, known.depth, known.name) for n, start, end in inside
            ]
        if len(self._waiting) > MAX_WAITING:
            raise TooComplex(f"the file has more than {MAX_WAITING} parts")

    def _read_model(self, part: _Part, values: _Values, _: _Inside) -> _Part:
        for wire, value, _after in values.get(1, ())[-1:]:
            if wire != VARINT:
                raise Malformed("the IR version is not a number")
            self.facts.ir_version = signed(value)
        self.facts.producer = self._text(values, 2)
        self.facts.producer_version = self._text(values, 3)
        return part

    def _read_graph(self, part: _Part, _: _Values, __: _Inside) -> _Part:
        self.facts.graphs += 1
        if part.depth >= MAX_DEPTH:
            raise TooComplex(f"graphs are nested deeper than {MAX_DEPTH}")
        return part._replace(depth=part.depth + 1, name="")

    def _read_function(self, part: _Part, values: _Values, _: _Inside) -> _Part:
        name = self._text(values, 1)
        body = Body(Operator(_domain(self._text(values, 10)), name, self._text(values, 13)))
        self.facts.bodies.append(body)
        return part._replace(body=body, depth=0)

    def _read_node(self, part: _Part, values: _Values, _: _Inside) -> _Part:
        self.facts.nodes += 1
        if self.facts.nodes > MAX_NODES:
            raise TooComplex(f"the file has more than {MAX_NODES} nodes")
        operator = Operator(_domain(self._text(values, 7)), self._text(values, 4), self._text(values, 8))
        part.body.operators[operator] += 1
        part.body.depths[operator] = max(part.body.depths.get(operator, 0), part.depth)
        place = _SHAPED_BY.get(operator.name)
        if place is not None and len(values.get(1, ())) > place:
            self._shapes.add(self._text({1: [values[1][place]]}, 1))
        return part._replace(name=self._text({2: values.get(2, [])[:1]}, 2) if operator.name == "Constant" else "")

    def _read_opset(self, _: _Part, values: _Values, __: _Inside) -> None:
        version = 0
        for wire, value, _after in values.get(2, ())[-1:]:
            if wire != VARINT:
                raise Malformed("the version of an operator set is not a number")
            version = signed(value)
        self.facts.opsets.add((_domain(self._text(values, 1)), version))

    def _read_tensor(self, part: _Part, values: _Values, _: _Inside) -> None:
        size = part.end - part.start
        self.facts.tensor_bytes += size
        located = any(wire != VARINT or value for wire, value, _after in values.get(14, ()))
        if located or 13 in values:
            self._read_external(values)
            return
        elements = _elements(self._numbers(values, 1, MAX_RANK))
        if elements > size * _ELEMENTS_PER_BYTE:
            raise Malformed(f"a tensor says that it has {elements} elements, in {size} bytes")
        if elements <= MAX_RANK and values.get(2, [(0, 0, 0)])[-1][1] == _INT64:
            self._read_possible_shape(self._text(values, 8) or part.name, values)

    def _read_external(self, values: _Values) -> None:
        self.facts.external += 1
        entries: dict[str, str] = {}
        for wire, start, end in values.get(13, ()):
            if wire != BYTES:
                raise Malformed("what tells where data lies is not a message")
            entry = self._few(start, end)
            entries[self._text(entry, 1)] = self._text(entry, 2)
        if len(self.facts.locations) < MAX_LOCATIONS:
            self.facts.locations.add(entries.get("location", ""))
        reach = [entries.get(key, "0") for key in ("offset", "length")]
        if all(text.isascii() and text.isdigit() and len(text) < 20 for text in reach):
            self.facts.external_end = max(self.facts.external_end, sum(map(int, reach)))

    def _read_possible_shape(self, name: str, values: _Values) -> None:
        numbers = self._numbers(values, 7, MAX_RANK)
        for wire, start, end in values.get(9, ())[-1:]:
            if wire == BYTES and end - start <= 8 * MAX_RANK:
                raw = self._content[start:end]
                numbers = [int.from_bytes(raw[at : at + 8], "little", signed=True) for at in range(0, len(raw), 8)]
        if name and prod(max(number, 0) for number in numbers) > MAX_ELEMENTS:
            self._huge.add(name)

    def _read_sparse(self, part: _Part, values: _Values, _: _Inside) -> _Part:
        elements = _elements(self._numbers(values, 3, MAX_RANK))
        if elements > MAX_ELEMENTS:
            raise TooComplex(f"a sparse tensor stands for {elements} elements, more than {MAX_ELEMENTS}")
        return part._replace(name="")

    def _read_shape(self, _: _Part, __: _Values, inside: _Inside) -> None:
        sizes = []
        if len(inside) > MAX_RANK:
            raise TooComplex(f"a shape has more than {MAX_RANK} dimensions")
        for _number, start, end in inside:
            dimension = self._few(start, end).get(1, ())
            sizes += [max(1, signed(value)) for wire, value, _ in dimension[-1:] if wire == VARINT]
        if prod(sizes) > MAX_ELEMENTS:
            raise TooComplex(f"a shape stands for {prod(sizes)} elements, more than {MAX_ELEMENTS}")

    def _few(self, start: int, end: int) -> _Values:
        """All fields of a message that has only a few."""
        values: _Values = {}
        for count, (number, wire, value, after) in enumerate(fields(self._content, start, end, {})):
            if count > MAX_FEW:
                raise Malformed(f"more than {MAX_FEW} fields where one or two should be")
            _keep(values, number, (wire, value, after))
        return values

    def _numbers(self, values: _Values, number: int, most: int) -> list[int]:
        """A repeated field of whole numbers, which may be packed or not."""
        found: list[int] = []
        for wire, value, after in values.get(number, ()):
            found += [signed(value)] if wire == VARINT else varints(self._content, value, after, most)
            if len(found) > most:
                raise Malformed(f"more than {most} numbers where a shape should be")
        return found

    def _text(self, values: _Values, number: int) -> str:
        """The last string of a field, which is the one that counts."""
        for wire, start, end in values.get(number, ())[-1:]:
            if wire != BYTES:
                raise Malformed("a name is not a string")
            if end - start > MAX_NAME:
                raise TooComplex(f"a name has more than {MAX_NAME} bytes")
            return self._content[start:end].decode(errors="replace")
        return ""


def _keep(values: _Values, number: int, value: tuple[int, int, int]) -> None:
    """The first ones and the last: what a single value is comes last, and of many only so many are looked at."""
    kept = values.setdefault(number, [])
    if len(kept) < MAX_KEPT:
        kept.append(value)
    else:
        kept[-1] = value


def _domain(name: str) -> str:
    """ONNX's own operators have two names for their domain."""
    return "" if name == "ai.onnx" else name


def _elements(dimensions: list[int]) -> int:
    if any(size < 0 for size in dimensions):
        raise Malformed(f"a tensor has a dimension of {min(dimensions)}")
    return prod(dimensions)
