"""A model version as it is shown to people."""

import json
import math
import shlex
from typing import Any

from modelmill_client.cli.columns import history_columns
from modelmill_client.cli.metrics import show_leaderboard, show_metrics, show_optimization, show_split
from modelmill_client.cli.session import Session
from modelmill_client.cli.text import cell

_LONGEST_EXAMPLE = 12
_EXAMPLES = {"BYTES": "text", "BOOL": False, "FP16": 0.0, "FP32": 0.0, "FP64": 0.0}


def show_version(session: Session, version: dict[str, Any]) -> None:
    """Prints all that is known of a version."""
    parity = version.get("parity") or {}
    lineage = version.get("lineage") or {}
    failure = version.get("failure") or {}
    session.facts(
        (
            ("model", version["model"]),
            ("version", version["version"]),
            ("status", version["status"]),
            ("aliases", version.get("aliases") or None),
            ("task", version.get("task")),
            ("target", version.get("target")),
            ("algorithm", version.get("algorithm")),
            ("labels", version.get("labels")),
            ("parity", _parity(parity) if parity else None),
            ("dataset", lineage.get("dataset_id")),
            ("job", lineage.get("job_id")),
            ("created", version.get("created_at")),
            ("failure", f"{failure['code']}: {failure['message']}" if failure else None),
        )
    )
    _show_signature(session, version.get("signature") or {})
    if version.get("dropped"):
        session.table(("not used", "why"), ((d["column"], d["reason"]) for d in version["dropped"]))
    show_leaderboard(session, version.get("leaderboard"))
    show_metrics(session, version.get("metrics"))
    show_optimization(session, version.get("optimization"))
    show_split(session, version)


def show_next_calls(session: Session, version: dict[str, Any]) -> None:
    """Prints the commands that use a version which was just uploaded."""
    model, number = version["model"], version["version"]
    is_live = "live" in (version.get("aliases") or ())
    chosen = "" if is_live else f" --version {number}"
    option = _instance_option(version)
    session.facts(
        (
            ("predict", f"modelmill predict {model}{chosen} {option}" if option else None),
            ("serve", None if is_live else f"modelmill promote {model} {number} --reason …"),
        )
    )


def _show_signature(session: Session, signature: dict[str, Any]) -> None:
    """The columns of a trained model; the tensors of an uploaded one, which has no columns."""
    if forecast := signature.get("forecast"):
        session.table(("history", "type"), ((each["name"], each["type"]) for each in history_columns(signature)))
        steps = f"{forecast['horizon']} steps ahead from the last {forecast['window']} points or more of a series"
        session.say(f"forecasts {steps}; a step is {forecast['frequency']}")
    elif signature.get("features"):
        session.table(("column", "type"), ((feature["name"], feature["type"]) for feature in signature["features"]))
    elif signature:
        for side in ("input", "output"):
            tensors = signature[f"{side}s"]
            session.table((side, "type", "shape"), ((t["name"], t["datatype"], str(t["shape"])) for t in tensors))


def _instance_option(version: dict[str, Any]) -> str | None:
    """An instance of the right form where it is short, else where instances come from; None where there are none.

    A model whose inputs have another fixed first dimension than 1 takes just that many at once.
    """
    inputs = (version.get("signature") or {}).get("inputs", [])
    rows = {tensor["shape"][0] for tensor in inputs if tensor["shape"]} - {-1}
    if len(rows) > 1:
        return None
    if rows - {1}:
        return f"--batch-size {min(rows)} --jsonl FILE"
    if sum(math.prod(max(1, size) for size in tensor["shape"][1:]) for tensor in inputs) > _LONGEST_EXAMPLE:
        return "--jsonl FILE"
    instance = {tensor["name"]: _example(tensor["datatype"], tensor["shape"][1:]) for tensor in inputs}
    return f"--json {shlex.quote(json.dumps(instance, ensure_ascii=False))}"


def _example(datatype: str, shape: list[int]) -> Any:
    """A value of this shape, with one element where a size is variable."""
    if not shape:
        return _EXAMPLES.get(datatype, 0)
    first, *rest = shape
    return [_example(datatype, rest) for _ in range(max(1, first))]


def _parity(parity: dict[str, Any]) -> str:
    verdict = "passed" if parity.get("passed") else "failed"
    return f"{verdict}: largest error {cell(parity.get('max_error'))} on {parity.get('rows')} held-out rows"
