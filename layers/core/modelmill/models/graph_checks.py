"""Which ONNX files are taken, decided from their bytes."""

from modelmill.models.expansion import expand
from modelmill.models.file_format import describe
from modelmill.models.graph_facts import MAX_DEPTH, MAX_NODES, GraphFacts, Operator, TooComplex, read_facts
from modelmill.models.manifest import MODEL_FILE, SERVING_FILE, WEIGHTS_FILE
from modelmill.models.rejection import BundleRejected
from modelmill.models.wire import Malformed

IR_VERSIONS = range(3, 14)
# The operator sets that are taken, by domain: ONNX's own, and what onnxruntime adds.
OPSETS = {"": range(7, 27), "ai.onnx.ml": range(1, 6), "com.microsoft": range(1, 2)}
# Holds what another compiler made, or says in which file that lies.
REFUSED = frozenset({("com.microsoft", "EPContext")})
MAX_FUNCTIONS = 10_000

_SELF_CONTAINED = (
    "export it as one file: torch.onnx.export(..., external_data=False), "
    "or onnx.save(onnx.load('model.onnx'), 'whole.onnx')"
)


def check_graph(content: bytes) -> GraphFacts:
    """Refuse what is not ONNX, reaches outside of its file, is beyond all measure, or needs foreign operators.

    Raises:
        BundleRejected: `unsupported_format`, `external_data`, `model_too_complex` or `unsupported_onnx`.
    """
    look = describe(content)
    if look is not None:
        what, remedy = look
        raise BundleRejected("unsupported_format", f"the file is not ONNX but {what}; {remedy}")
    facts = _facts(content, MODEL_FILE)
    if facts.external:
        where = sorted(facts.locations)[0][:80]
        message = f"{facts.external} tensors lie in another file, {where!r}, which is never opened; {_SELF_CONTAINED}"
        raise BundleRejected("external_data", message)
    _check_versions(facts)
    _check_operators(facts)
    return facts


def check_serving_graph(content: bytes, weights_bytes: int | None) -> None:
    """Refuse a serving form that reaches outside of the file of its weights, or has what a model may not have.

    weights_bytes: the size of that file, None where there is none.

    Raises:
        BundleRejected: see `check_graph`.
    """
    facts = _facts(content, SERVING_FILE)
    allowed = set() if weights_bytes is None else {WEIGHTS_FILE}
    if facts.locations != allowed or facts.external_end > (weights_bytes or 0):
        raise BundleRejected("external_data", f"{SERVING_FILE} does not refer to its weights alone")
    _check_versions(facts)
    _check_operators(facts)


def _facts(content: bytes, name: str) -> GraphFacts:
    try:
        return read_facts(content)
    except TooComplex as error:
        raise BundleRejected("model_too_complex", f"{name} is not taken: {error}; make the model smaller") from error
    except Malformed as error:
        message = f"{name} is no whole ONNX file: {error}; export it again and compare its size after the upload"
        raise BundleRejected("unsupported_format", message) from error


def _check_versions(facts: GraphFacts) -> None:
    if not facts.graphs:
        raise BundleRejected(
            "unsupported_format", f"{MODEL_FILE} is no ONNX file: there is no graph in it; export it again"
        )
    if facts.ir_version not in IR_VERSIONS:
        raise BundleRejected(
            "unsupported_onnx", f"IR version {facts.ir_version}, {_range(IR_VERSIONS)} are taken; export again"
        )
    for domain, version in sorted(facts.opsets):
        known = OPSETS.get(domain)
        if known is not None and version not in known:
            name = repr(domain or "ai.onnx")
            message = f"operator set {name} has version {version}, {_range(known)} are taken; export with one of these"
            raise BundleRejected("unsupported_onnx", message)
    if not facts.nodes:
        raise BundleRejected("unsupported_onnx", "the graph has no nodes: there is nothing to run")


def _check_operators(facts: GraphFacts) -> None:
    if len(facts.bodies) > MAX_FUNCTIONS:
        raise BundleRejected("model_too_complex", f"more than {MAX_FUNCTIONS} functions; export without them")
    try:
        expansion = expand(facts)
    except Malformed as error:
        raise BundleRejected("unsupported_onnx", f"the functions of the model cannot be used: {error}") from error
    if expansion.nodes > MAX_NODES or expansion.depth > MAX_DEPTH:
        message = (
            f"with its functions expanded the model has more than {MAX_NODES} nodes, "
            f"or graphs nested deeper than {MAX_DEPTH}; make it smaller"
        )
        raise BundleRejected("model_too_complex", message)
    foreign = sorted(operator for operator in expansion.operators if _is_foreign(operator))
    if foreign:
        name = f"{foreign[0].domain or 'ai.onnx'}.{foreign[0].name}"[:160]
        message = f"operator {name!r} is not taken, only those of ONNX and of onnxruntime; export without it"
        raise BundleRejected("unsupported_onnx", message)


def _is_foreign(operator: Operator) -> bool:
    return operator.domain not in OPSETS or operator[:2] in REFUSED


def _range(known: range) -> str:
    return f"{known[0]} to {known[-1]}" if len(known) > 1 else f"only {known[0]}"
