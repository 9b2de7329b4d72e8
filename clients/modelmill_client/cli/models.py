"""`modelmill models …`, `versions`, `promote`, `rollback`, `ledger`, `download` and `delete`"""

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from modelmill_client.cli.ask import confirm
from modelmill_client.cli.command import command, group
from modelmill_client.cli.live import StatusLine, transfer
from modelmill_client.cli.session import Session
from modelmill_client.cli.text import aliases, cell, numbers, size
from modelmill_client.cli.version import show_next_calls, show_version
from modelmill_client.errors import InvalidInput

models_app = typer.Typer(name="models", rich_markup_mode=None)

ModelArgument = Annotated[str, typer.Argument(help="Name of the model.")]
VersionArgument = Annotated[int, typer.Argument(min=1, help="Number of the version.")]
Reason = Annotated[str, typer.Option(help="Why; goes into the ledger.")]
Alias = Annotated[str, typer.Option(help="The alias to move; `live` serves by default.")]


@group(models_app)
def models(session: Session) -> None:
    """List all models, or upload one of your own."""
    session.list(
        session.client.models.list(),
        ("model", "latest version#", "aliases", "updated"),
        lambda m: (m["model"], m["latest_version"], aliases(m), m["updated_at"]),
    )


@command(models_app, "upload")
def upload(
    session: Session,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The model as ONNX.")],
    name: Annotated[str, typer.Option(help="Name of the model; a new version is added where it exists.")],
    label: Annotated[
        list[str] | None, typer.Option(help="A class, in the order of the model's scores; to be repeated.")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="All classes in that order, as a line of CSV.")] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Serve it as soon as it is ready.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Return when the model has been checked.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 900.0,
) -> None:
    """Upload an ONNX file as a new version of a model."""
    with transfer(session, file.name) as progress:
        version = session.client.models.upload(
            file, name, labels=_labels(label, labels), promote=promote, progress=progress, wait=False
        )
    if wait:
        version = _follow(session, name, version["version"], timeout)
        session.show(version, lambda: _show_uploaded(session, version))
    else:
        version.pop("upload", None)
        number = version["version"]
        text = f"version {number} of {name} is uploaded; `modelmill versions {name} {number}` shows what comes of it"
        session.show(version, text)


def versions(
    session: Session,
    model: ModelArgument,
    version: Annotated[int | None, typer.Argument(min=1, help="One version; all without it.")] = None,
) -> None:
    """List a model's versions, or show one with its signature, metrics, parity and lineage."""
    if version is not None:
        found = session.client.models.version(model, version)
        session.show(found, lambda: show_version(session, found))
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
    app.add_typer(models_app)
    for function in (versions, promote, rollback, ledger, download, delete):
        command(app, function.__name__)(function)


def _report_move(session: Session, model: str, move: dict[str, Any]) -> None:
    previous = move["previous_version"]
    before = " already" if previous == move["version"] else f" (was {previous})" if previous else ""
    session.show(move, f"{model}: {move['alias']} → version {move['version']}{before}")


def _headline(version: dict[str, Any]) -> str:
    shown = list(numbers(version.get("metrics") or {}).items())[:3]
    return ", ".join(f"{name} {cell(round(value, 4))}" for name, value in shown)


def _labels(repeated: list[str] | None, line: str | None) -> list[str] | None:
    if repeated and line is not None:
        raise InvalidInput("got --label and --labels, expected one way of naming the classes")
    if line is None:
        return repeated or None
    return [label.strip() for label in next(csv.reader([line], skipinitialspace=True), [])]


def _follow(session: Session, model: str, number: int, timeout: float) -> dict[str, Any]:
    """The version once it can serve; on the way there, its status on stderr."""
    from modelmill_client.resources.models import check_ready

    version: dict[str, Any] = {}
    with StatusLine(session) as line:
        for version in session.client.models.watch(model, number, timeout=timeout):
            line.show(version)
    return check_ready(version)


def _show_uploaded(session: Session, version: dict[str, Any]) -> None:
    show_version(session, version)
    show_next_calls(session, version)
