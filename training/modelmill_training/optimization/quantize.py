"""A smaller form of an exported graph, kept where it is as good: `optimize` of a training job."""

from dataclasses import replace
from typing import Any

import onnx

from modelmill_training import session
from modelmill_training.exam import BATCH_ROWS, Exam
from modelmill_training.optimization import integers, weights
from modelmill_training.outcome import Outcome
from modelmill_training.parity import Bound, Report
from modelmill_training.progress import Progress

# What the answers of a quantised graph may differ from the trained model's; its metric is bounded by the request.
ROUGHLY = Bound(tolerance=0.05, share=0.99)

FORMS = {"int8": (integers.dense_layers, weights.as_int8), "float16": (weights.as_float16,)}


def quantized(outcome: Outcome, asked: dict[str, Any] | None, progress: Progress) -> Outcome:
    """The outcome with the form of the graph that is asked for, or with its own where that is better.

    `optimization` of the outcome and of its report say which, and why.
    """
    if asked is None:
        return outcome
    progress.report("optimize")
    exam, graph = outcome.exam, quantize(outcome.graph, asked["quantize"])
    before, after = exam.sit(outcome.graph), exam.sit(graph)
    agreement = exam.compare(after.outputs, ROUGHLY)
    scores = exam.score(before.outputs), exam.score(after.outputs)
    loss = metric_loss(*scores, more_is_better=exam.more_is_better)
    told = {
        "asked": asked,
        "batch_rows": BATCH_ROWS,
        "metric": exam.metric,
        "metric_loss": loss,
        "parity": agreement,
        "before": {**exam.costs(outcome.graph), "metric": scores[0]},
        "after": {**exam.costs(graph), "metric": scores[1]},
    }
    reason = _size_reason(outcome.graph, graph) or _parity_reason(agreement) or _metric_reason(told)
    told |= {"kept": reason is None, "reason": reason}
    outcome = replace(outcome, optimization=told, report=outcome.report | {"optimization": told})
    return outcome if reason else replace(_with_graph(outcome, graph, after.placement), parity=agreement)


def quantize(graph: bytes, form: str) -> bytes:
    """The graph with its weights in another form, `int8` or `float16`; as it is where none are large enough."""
    model = onnx.ModelProto.FromString(graph)
    if not sum(store(model) for store in FORMS[form]):
        return graph
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def metric_loss(before: float | None, after: float | None, *, more_is_better: bool) -> float | None:
    """How much worse a metric has become, as a share of an error; below 0 where it is better, None where unknown."""
    if before is None or after is None:
        return None
    return before - after if more_is_better else (after - before) / (before or 1.0)


def _size_reason(before: bytes, after: bytes) -> str | None:
    if len(after) < len(before):
        return None
    least = f"no weights of {weights.MIN_VALUES:,} values or more"
    return f"it would not be smaller ({len(after):,} bytes): the model has {least}, or too few of them"


def _parity_reason(agreement: Report) -> str | None:
    if agreement["passed"]:
        return None
    found = f"{agreement['within']:.2%} of {agreement['rows']} held-out rows"
    return f"{found} are within {ROUGHLY.tolerance:g} of the trained model's answers, expected {ROUGHLY.share:.0%}"


def _metric_reason(told: dict[str, Any]) -> str | None:
    before, after = (told[when]["metric"] for when in ("before", "after"))
    allowed = told["asked"]["max_metric_loss"]
    if before is None or (told["metric_loss"] is not None and told["metric_loss"] <= allowed):
        return None
    return f"{told['metric']} on held-out rows goes from {before:.6g} to {after}, more than the {allowed:g} allowed"


def _with_graph(outcome: Outcome, graph: bytes, placement: dict[str, Any]) -> Outcome:
    """What is served is what the manifest tells of: its costs, and its scores for the reference rows."""
    reference = outcome.reference | {"scores": _reference_scores(outcome.exam, graph)}
    return replace(outcome, graph=graph, placement=placement, reference=reference)


def _reference_scores(exam: Exam, graph: bytes) -> list[list[float]]:
    *_, last = session.predict(session.open_session(graph), exam.reference).values()
    scores: list[list[float]] = last.reshape(len(last), -1).astype(float).tolist()
    return scores
