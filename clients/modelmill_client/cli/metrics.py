"""Tables of metrics, confusion matrices and leaderboards."""

from typing import Any

from modelmill_client.cli.session import Session
from modelmill_client.cli.text import numbers

_MOST_CLASSES = 10
_FEW_ROWS = 30


def show_metrics(session: Session, metrics: dict[str, Any] | None) -> None:
    """Prints the metrics of the held-out rows beside those of training and validation."""
    if not metrics:
        return
    parts = [part for part in ("test", "validation", "train") if metrics.get(part)]
    names = list(numbers(metrics[parts[0]])) if parts else []
    columns = ("metric", *("held out#" if part == "test" else f"{part}#" for part in parts))
    session.table(columns, ((name, *(metrics[part].get(name) for part in parts)) for name in names))
    if parts:
        _show_confusion(session, metrics[parts[0]])


def show_split(session: Session, result: dict[str, Any]) -> None:
    """Prints what a reader of the metrics of a job or version should know about the rows behind them."""
    split = result.get("split") or {}
    missing, held_out = split.get("missing_target_rows") or 0, split.get("test")
    if missing:
        share = 100 * missing / (missing + sum(split.get(part) or 0 for part in ("train", "validation", "test")))
        rows = f"{missing} {'row' if missing == 1 else 'rows'} ({f'{share:.0f}' if share >= 1 else 'under 1'} %)"
        verbs = ("has", "was") if missing == 1 else ("have", "were")
        session.say(f"{rows} {verbs[0]} no value in {result.get('target')!r} and {verbs[1]} left out")
    if held_out is not None and held_out < _FEW_ROWS:
        session.say(f"the held-out metrics rest on few rows ({held_out}); with other rows they may be quite different")


def show_leaderboard(session: Session, leaderboard: list[dict[str, Any]] | None) -> None:
    """Prints what `auto` tried, best first as the server gives it."""
    if leaderboard:
        session.table(
            ("candidate", "status", "metric", "score#", "seconds#", "reason"),
            (
                tuple(c.get(k) for k in ("algorithm", "status", "metric", "score", "seconds", "reason"))
                for c in leaderboard
            ),
        )


def show_tuning(session: Session, tuning: dict[str, Any] | None) -> None:
    """Prints what a search for hyper-parameters brought."""
    if tuning:
        trials = ", ".join(f"{count} {state}" for state, count in tuning["trials"].items())
        best, default = (_rounded(tuning[name]) for name in ("best_value", "default_value"))
        values = f"{tuning['metric']} {best}, with the defaults {default}"
        session.say(f"tuned with {trials}; the best is trial {tuning['best']}: {values}")


def show_optimization(session: Session, found: dict[str, Any] | None) -> None:
    """Prints what became of the smaller form that was asked for, beside the model as it was trained."""
    if not found:
        return
    before, after = found["before"], found["after"]
    rows = {
        "bytes": "model_bytes",
        "ms to load": "load_ms",
        "µs for one row": "latency_us",
        f"µs for {found['batch_rows']} rows": "batch_latency_us",
        f"{found['metric'] or 'metric'}, held out": "metric",
    }
    form = found["asked"]["quantize"]
    names = ("optimization", "float32#", f"{form}#")
    session.table(names, ((name, before[key], after[key]) for name, key in rows.items()))
    session.say(f"{form} is kept" if found["kept"] else f"{form} is not kept: {found['reason']}")


def _rounded(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _show_confusion(session: Session, metrics: dict[str, Any]) -> None:
    matrix, labels = metrics.get("confusion_matrix"), list(metrics.get("per_class") or ())
    if matrix and 0 < len(labels) <= _MOST_CLASSES:
        rows = ((label, *counts) for label, counts in zip(labels, matrix, strict=True))
        session.table(("truth \\ predicted", *(f"{label}#" for label in labels)), rows)
