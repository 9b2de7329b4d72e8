"""`modelmill predict`"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from modelmill_client.cli.command import command
from modelmill_client.cli.rows import CsvRows, json_lines, json_text, opened
from modelmill_client.cli.session import Session
from modelmill_client.cli.writers import FORMATS, make_writer, output
from modelmill_client.errors import InvalidInput


class Format(StrEnum):
    """How predictions are written."""

    csv = "csv"
    json = "json"
    jsonl = "jsonl"


@dataclass(frozen=True, slots=True)
class _Source:
    """Rows to predict: pairs of the cells they came from (if any) and the instance."""

    rows: Iterator[tuple[list[str], Any]]
    columns: list[str]
    form: str
    version: int | None
    alias: str | None


def predict(
    session: Session,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Rows as CSV; - reads stdin.")] = None,
    jsonl: Annotated[
        Path | None, typer.Option("--jsonl", metavar="FILE", help="One instance a line; - reads stdin.")
    ] = None,
    json: Annotated[
        str | None, typer.Option("--json", metavar="JSON", help="An instance or a list of them; - reads stdin.")
    ] = None,
    version: Annotated[int | None, typer.Option(min=1, help="A version by its number.")] = None,
    alias: Annotated[str | None, typer.Option(help="A version by its alias; `live` by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write: .csv, .json or .jsonl; by default stdout.")] = None,
    format: Annotated[Format | None, typer.Option(help="By default like --out, else like the input.")] = None,  # noqa: A002
    batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="Rows per call.")] = 500,
) -> None:
    """Predict rows of a CSV or JSON file, or given as JSON.

    Cells of a CSV are converted to what the model expects; columns that it does not know are copied to the output.
    """
    _check(csv, jsonl, json, version, alias)
    wanted = format or _form_of(out)
    with ExitStack() as stack:
        source = _open(session, stack, model, csv, jsonl, json, version, alias)
        file = stack.enter_context(output(out))
        _run(session, model, source, make_writer(file, wanted or source.form, source.columns), batch_size)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "predict", json_flag=False)(predict)


def _check(csv: Path | None, jsonl: Path | None, json: str | None, version: int | None, alias: str | None) -> None:
    given = [source for source in (csv, jsonl, json) if source is not None]
    if len(given) != 1:
        raise InvalidInput(f"got {len(given)} inputs, expected exactly one of --csv, --jsonl and --json")
    if version is not None and alias is not None:
        raise InvalidInput("got --version and --alias, expected at most one of them")


def _form_of(out: Path | None) -> str | None:
    """What the suffix of --out stands for; None without a suffix."""
    if out is None or not out.suffix:
        return None
    form = FORMATS.get(out.suffix.lower())
    if form is None:
        raise InvalidInput(f"--out got {out.name!r}, expected the suffix {', '.join(sorted(FORMATS))}, or --format too")
    return form


def _open(
    session: Session,
    stack: ExitStack,
    model: str,
    csv: Path | None,
    jsonl: Path | None,
    json: str | None,
    version: int | None,
    alias: str | None,
) -> _Source:
    if csv is not None:
        return _csv_source(session, stack, model, csv, version, alias)
    if jsonl is not None:
        lines = json_lines(stack.enter_context(opened(jsonl)))
        return _Source((([], instance) for instance in lines), [], "jsonl", version, alias)
    return _Source((([], instance) for instance in json_text(json or "")), [], "json", version, alias)


def _csv_source(
    session: Session, stack: ExitStack, model: str, path: Path, version: int | None, alias: str | None
) -> _Source:
    """All batches of a CSV go to the one version that the alias points to now."""
    resolved = session.client.models.resolve(model, version=version, alias=alias)
    rows = CsvRows(stack.enter_context(opened(path)), resolved["signature"]["features"])
    if rows.unused:
        session.remark(f"not used by the model: {', '.join(rows.unused)}")
    return _Source(iter(rows), rows.columns, "csv", resolved["version"], None)


def _run(session: Session, model: str, source: _Source, writer: Any, batch_size: int) -> None:
    count = 0
    answer: dict[str, Any] = {}
    while batch := list(islice(source.rows, batch_size)):
        done = 0
        instances = [instance for _, instance in batch]
        for part, answer in session.client.predict_batches(
            model, instances, version=source.version, alias=source.alias, batch_size=batch_size
        ):
            cells = [cells for cells, _ in batch[done : done + len(part)]]
            writer.write(cells if source.columns else [], answer)
            done += len(part)
        count += done
    if not count:
        raise InvalidInput("the input has no rows, expected at least one")
    writer.close()
    session.remark(f"{count} {'row' if count == 1 else 'rows'} predicted by {model} version {answer.get('version')}")
