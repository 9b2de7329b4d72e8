"""`modelmill datasets …`"""

from pathlib import Path
from typing import Annotated, Any

import typer

from modelmill_client.cli.ask import confirm
from modelmill_client.cli.command import command
from modelmill_client.cli.live import transfer
from modelmill_client.cli.session import Session
from modelmill_client.cli.text import size
from modelmill_client.cli.uploaded import show_problems, wait_for

app = typer.Typer(
    name="datasets", no_args_is_help=True, rich_markup_mode=None, help="Upload data and look at what is in it."
)

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="Id, or name (then the newest of that name).")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait at most.")]


@command(app, "upload")
def upload(
    session: Session,
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV, JSONL, Parquet or zip.")
    ],
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the dataset; by default that of the file.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="What a row is: tabular, text, image or timeseries; by default image for a zip, else tabular."
        ),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        str | None, typer.Option(help="csv, jsonl, parquet or zip; by default what the suffix says.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the file has been checked.")] = False,
    timeout: Timeout = 900.0,
) -> None:
    """Upload a file as a new dataset."""
    with transfer(session, file.name) as progress:
        dataset = session.client.datasets.upload(
            file, target=target, name=name, kind=kind, format=format, progress=progress
        )
    if wait:
        dataset = wait_for(session, session.client.datasets, dataset["dataset_id"], timeout)
    dataset.pop("upload", None)
    follow_up = f"{dataset['dataset_id']} is uploaded; `modelmill datasets wait {dataset['dataset_id']}` follows it"
    session.show(dataset, (lambda: show_dataset(session, dataset)) if wait else follow_up)


@command(app, "wait")
def wait(session: Session, dataset: DatasetArgument, timeout: Timeout = 900.0) -> None:
    """Wait until an uploaded file has been checked."""
    datasets = session.client.datasets
    found = wait_for(session, datasets, datasets.find(dataset)["dataset_id"], timeout)
    session.show(found, lambda: show_dataset(session, found))


@command(app, "list")
def list_datasets(session: Session) -> None:
    """List all datasets, newest first."""
    session.list(
        session.client.datasets.list(),
        ("dataset", "name", "status", "rows#", "size#", "target", "created"),
        lambda d: (
            d["dataset_id"],
            d["name"],
            d["status"],
            d.get("rows"),
            size(d.get("bytes")),
            d.get("target"),
            d["created_at"],
        ),
    )


@command(app, "show")
def show(session: Session, dataset: DatasetArgument) -> None:
    """Show a dataset's columns, their types and distributions, or what is wrong with the file."""
    found = session.client.datasets.find(dataset)
    session.show(found, lambda: show_dataset(session, found))


@command(app, "delete")
def delete(
    session: Session,
    dataset: DatasetArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a dataset's data; models trained on it stay."""
    found = session.client.datasets.find(dataset)
    confirm(f"Delete the data of {found['dataset_id']} ({found['name']})?", yes)
    session.client.datasets.delete(found["dataset_id"])
    deleted = {"dataset_id": found["dataset_id"], "deleted": True}
    session.show(deleted, f"{found['dataset_id']} is deleted")


def show_dataset(session: Session, dataset: dict[str, Any]) -> None:
    """Prints a dataset with its problems or its columns."""
    session.facts(
        (
            ("dataset", dataset["dataset_id"]),
            ("name", dataset["name"]),
            ("kind", dataset["kind"]),
            ("status", dataset["status"]),
            ("target", dataset.get("target")),
            ("rows", dataset.get("rows")),
            ("repeated rows", dataset.get("duplicate_rows")),
            ("size", size(dataset["bytes"]) if dataset.get("bytes") is not None else None),
        )
    )
    show_problems(session, dataset)
    columns = (dataset.get("schema") or {}).get("columns", [])
    if columns:
        session.table(("column", "type", "missing#", "distinct#", "values"), (_column_row(c) for c in columns))


def _column_row(column: dict[str, Any]) -> tuple[object, ...]:
    return column["name"], column["type"], column["nulls"], column["distinct"], _values(column)


def _values(column: dict[str, Any]) -> str:
    if column["type"] in ("number", "integer", "timestamp") and column.get("min") is not None:
        mean = f", mean {column['mean']:.6g}" if column.get("mean") is not None else ""
        return f"{_short(column['min'])} to {_short(column['max'])}{mean}"
    top = column.get("top") or []
    shown = ", ".join(f"{value['value'][:24]} ({value['count']})" for value in top[:4])
    return shown + (", …" if len(top) > 4 else "")


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
