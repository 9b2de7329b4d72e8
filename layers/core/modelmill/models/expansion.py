"""How large a model gets once its functions stand where they are called; worked out without doing it."""

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from modelmill.models.graph_facts import Body, GraphFacts, Operator
from modelmill.models.wire import Malformed

_CAP = 2**62


@dataclass(frozen=True, slots=True)
class Expansion:
    """nodes, depth: of the whole model, its functions expanded; `_CAP` nodes stand for more.

    operators: all that are called, but for the functions.
    """

    nodes: int
    depth: int
    operators: frozenset[Operator]


def expand(facts: GraphFacts) -> Expansion:
    """The size of the model.

    Raises:
        Malformed: two functions have the same name, or one calls itself.
    """
    bodies = {body.called: body for body in facts.bodies}
    if len(bodies) != len(facts.bodies):
        raise Malformed("two functions have the same name")
    calls = {called: [other for other in body.operators if other in bodies] for called, body in bodies.items()}
    sizes: dict[Operator | None, tuple[int, int]] = {}
    try:
        for called in TopologicalSorter(calls).static_order():
            sizes[called] = _size(bodies[called], sizes)
    except CycleError as error:
        raise Malformed("a function calls itself") from error
    nodes, depth = sizes[None]
    operators = frozenset(operator for body in facts.bodies for operator in body.operators if operator not in bodies)
    return Expansion(nodes, depth, operators)


def _size(body: Body, sizes: dict[Operator | None, tuple[int, int]]) -> tuple[int, int]:
    """Nodes and depth; those of the functions that it calls are known."""
    nodes = depth = 0
    for operator, times in body.operators.items():
        inner, deeper = sizes.get(operator, (1, 0))
        nodes = min(_CAP, nodes + times * inner)
        depth = max(depth, body.depths[operator] + deeper)
    return nodes, depth
