"""`modelmill models`, `versions`, `promote`, `rollback`, `ledger`, `download` and `delete`"""

from pathlib import Path
from typing import Annotated, Any

import typer

from modelmill_client.cli.ask import confirm
from modelmill_client.cli.command import command
from modelmill_client.cli.metrics import show_leaderboard, show_metrics, show_split
from modelmill_client.cli.session import Session
from modelmill_client.cli.text import aliases, cell, numbers, size

ModelArgument = Annotated[str, typer.Argument(help="Name of the model.")]
VersionArgument = Annotated[int, typer.Argument(min=1, help="Number of the version.")]
Reason = Annotated[str, typer.Option(help="Why; goes into the ledger.")]
Alias = Annotated[str, typer.Option(help="The alias to move; `live` serves by default.")]


def models(session: Session) -> None:
    """List all models."""
    session.list(
        session.client.models.list(),
        ("model", "latest version#", "aliases", "updated"),
        lambda m: (m["model"], m["latest_version"], aliases(m), m["updated_at"]),
    )


def versions(
    session: Session,
    model: ModelArgument,
    version: Annotated[int | None, typer.Argument(min=1, help="One version; all without it.")] = None,
) -> None:
    """List a model's versions, or show one with its signature, metrics, parity and lineage."""
    if version is not None:
        found = session.client.models.version(model, version)
        session.show(found, lambda: _show_version(session, found))
        return
    session.list(
        session.client.models.versions(model),
        ("version#", "aliases", "status", "task", "algorithm", "held-out metrics", "size#", "created"),
        lambda v: (
            v["version"],
            v["aliases"],
            v["status"],
            v["task"],
            v["algorithm"],
            _headline(v),
            size(v.get("bytes")),
            v["created_at"],
        ),
    )


def promote(
    session: Session, model: ModelArgument, version: VersionArgument, reason: Reason, alias: Alias = "live"
) -> None:
    """Point an alias to a version: `live` is what serves."""
    _report_move(session, model, session.client.models.promote(model, version, reason, alias=alias))


def rollback(session: Session, model: ModelArgument, reason: Reason, alias: Alias = "live") -> None:
    """Point an alias back to the version that it pointed to before."""
    _report_move(session, model, session.client.models.rollback(model, reason, alias=alias))


def ledger(session: Session, model: ModelArgument) -> None:
    """Show who moved a model's aliases, when and why, newest first."""
    session.list(
        session.client.models.ledger(model),
        ("at", "alias", "what", "from#", "to#", "by", "reason"),
        lambda e: (e["at"], e["alias"], e["kind"], e["from_version"], e["to_version"], e["by"], e["reason"]),
    )


def download(
    session: Session,
    model: ModelArgument,
    version: VersionArgument,
    file: Annotated[str, typer.Argument(help="A file of the version, such as model.onnx.")],
    out: Annotated[Path, typer.Option(help="File or folder to write to.")] = Path(),
) -> None:
    """Download a file of a version and check its sha256."""
    written = session.client.models.download(model, version, file, out)
    session.show({"path": str(written)}, str(written))


def delete(
    session: Session,
    model: ModelArgument,
    version: Annotated[int | None, typer.Argument(min=1, help="One version; the whole model without it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a version that no alias points to, or a model with all its versions."""
    what = f"{model} with all its versions" if version is None else f"version {version} of {model}"
    confirm(f"Delete {what}?", yes)
    if version is None:
        session.client.models.delete(model)
    else:
        session.client.models.delete_version(model, version)
    session.show({"model": model, "version": version, "deleted": True}, f"{what} is deleted")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for function in (models, versions, promote, rollback, ledger, download, delete):
        command(app, function.__name__)(function)


def _report_move(session: Session, model: str, move: dict[str, Any]) -> None:
    previous = move["previous_version"]
    before = " already" if previous == move["version"] else f" (was {previous})" if previous else ""
    session.show(move, f"{model}: {move['alias']} → version {move['version']}{before}")


def _headline(version: dict[str, Any]) -> str:
    shown = list(numbers(version.get("metrics") or {}).items())[:3]
    return ", ".join(f"{name} {cell(round(value, 4))}" for name, value in shown)


def _show_version(session: Session, version: dict[str, Any]) -> None:
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
            ("created", version["created_at"]),
            ("failure", f"{failure['code']}: {failure['message']}" if failure else None),
        )
    )
    _show_inputs(session, version)
    show_leaderboard(session, version.get("leaderboard"))
    show_metrics(session, version.get("metrics"))
    show_split(session, version)


def _show_inputs(session: Session, version: dict[str, Any]) -> None:
    features = (version.get("signature") or {}).get("features", [])
    if features:
        session.table(("column", "type"), ((feature["name"], feature["type"]) for feature in features))
    if version.get("dropped"):
        session.table(("not used", "why"), ((d["column"], d["reason"]) for d in version["dropped"]))


def _parity(parity: dict[str, Any]) -> str:
    verdict = "passed" if parity.get("passed") else "failed"
    return f"{verdict}: largest error {cell(parity.get('max_error'))} on {parity.get('rows')} held-out rows"
