"""`modelmill report`"""

from pathlib import Path
from typing import Annotated, Any

import typer

from modelmill_client.cli.command import command
from modelmill_client.cli.metrics import show_metrics, show_optimization
from modelmill_client.cli.session import Session

MOST_COLUMNS = 20
MOST_CLUSTERS = 10
REPORT_FILE = "report.json"


def report(
    session: Session,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[int | None, typer.Argument(min=1, help="A version; the live one without it.")] = None,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for report.json and the pictures (SVG).")
    ] = None,
) -> None:
    """Show how good a trained version is, and save the pictures of it."""
    models = session.client.models
    number = version or models.resolve(model)["version"]
    found = models.report(model, number)
    written = _save(session, found, model, number, out) if out else []
    session.show(found, lambda: _show(session, found, written))


def _save(session: Session, found: dict[str, Any], model: str, version: int, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    names = [REPORT_FILE, *found["pictures"]]
    return [session.client.models.download(model, version, name, folder) for name in names]


def _show(session: Session, found: dict[str, Any], written: list[Path]) -> None:
    session.table(("warning", "what"), ((each["code"], each["message"]) for each in found["warnings"]))
    show_metrics(session, found["metrics"])
    show_optimization(session, found.get("optimization"))
    _show_importance(session, found.get("feature_importance"), found.get("shap"))
    if found.get("clusters"):
        _show_clusters(session, found["clusters"])
    if found.get("strangest"):
        ranked = ((each["row"], each["part"], each["score"]) for each in found["strangest"])
        session.table(("strangest row#", "part", "score#"), ranked)
    for path in written:
        session.say(str(path))
    if not written:
        session.say(f"--out FOLDER saves the pictures: {', '.join(found['pictures'])}")


def _show_importance(session: Session, importance: dict[str, Any] | None, shap: dict[str, Any] | None) -> None:
    if importance:
        columns = importance["columns"][:MOST_COLUMNS]
        sizes = {each["column"]: each["importance"] for each in shap["columns"]} if shap else {}
        session.table(
            (
                "column",
                f"fall of {importance['metric']} when shuffled#",
                *([f"|SHAP|, {shap['unit']}#"] if shap else []),
            ),
            ((each["column"], each["importance"], *([sizes.get(each["column"])] if shap else [])) for each in columns),
        )


def _show_clusters(session: Session, clusters: list[dict[str, Any]]) -> None:
    """How large each cluster is, and what its rows are like: a line for each column."""
    names = [str(each["cluster"]) for each in clusters]
    session.table(
        ("cluster#", "training rows#", "held out#"),
        ((name, each["rows"]["train"], each["rows"]["test"]) for name, each in zip(names, clusters, strict=True)),
    )
    if len(clusters) <= MOST_CLUSTERS:
        columns = list(clusters[0]["typical"])[:MOST_COLUMNS]
        session.table(
            ("typical value", *(f"{name}#" for name in names)),
            ((column, *(each["typical"].get(column) for each in clusters)) for column in columns),
        )


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "report")(report)
