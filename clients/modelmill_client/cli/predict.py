"""`modelmill predict`"""

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from modelmill_client.cli.columns import columns_of
from modelmill_client.cli.command import command
from modelmill_client.cli.live import counting
from modelmill_client.cli.rows import CsvRows, json_lines, json_text, opened, position_in, size_of
from modelmill_client.cli.session import Session
from modelmill_client.cli.writers import FORMATS, Writer, make_writer, output
from modelmill_client.errors import InvalidInput

# More rows of history than a window may be needed where some have no value.
_SPARE_ROWS = 10


class Format(StrEnum):
    """How predictions are written."""

    csv = "csv"
    json = "json"
    jsonl = "jsonl"


@dataclass(frozen=True, slots=True)
class _Source:
    """Rows to predict: pairs of the cells they came from (if any) and the instance.

    size: of what is read, if known; `position` tells how much of it has been, given the number of rows.
    batch: how many rows the model takes at once, where it takes no other number.
    """

    rows: Iterator[tuple[list[str], Any]]
    columns: list[str]
    form: str
    options: dict[str, Any]
    size: int | None
    position: Callable[[int], int]
    batch: int | None = None


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
    image: Annotated[
        list[Path] | None,
        typer.Option("--image", metavar="FILE", help="A picture as PNG, JPEG or WebP; may be repeated."),
    ] = None,
    version: Annotated[int | None, typer.Option(min=1, help="A version by its number.")] = None,
    alias: Annotated[str | None, typer.Option(help="A version by its alias; `live` by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write: .csv, .json or .jsonl; by default stdout.")] = None,
    format: Annotated[Format | None, typer.Option(help="By default like --out, else like the input.")] = None,  # noqa: A002
    top_k: Annotated[int | None, typer.Option(min=1, help="Of classes, only so many, most probable first.")] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=P", help="Choose a class when its probability reaches P; may be repeated."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="Rows per call.")] = 500,
) -> None:
    """Predict rows of a CSV or JSON file, or given as JSON, or pictures.

    Cells of a CSV are converted to what the model expects; columns that it does not know are copied to the output. For
    a model of time series a CSV holds their history, oldest row first; the output has a row for each step ahead.
    """
    _check((csv, jsonl, json, image), version, alias)
    wanted = format or _form_of(out)
    options = {"version": version, "alias": alias, "top_k": top_k, "thresholds": _thresholds(threshold)}
    with ExitStack() as stack:
        source = _pictures(image, options) if image else _open(session, stack, model, csv, jsonl, json, options)
        file = stack.enter_context(output(out))
        writer = make_writer(file, wanted or source.form, source.columns, ranked=top_k is not None)
        show = stack.enter_context(counting(session, f"predict {model}", source.size, to_stdout=out is None))
        count, answered_by = _run(session, model, source, writer, source.batch or batch_size, show)
    session.remark(f"{count} {'row' if count == 1 else 'rows'} predicted by {model} version {answered_by}")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "predict", json_flag=False)(predict)


def _check(inputs: tuple[object, ...], version: int | None, alias: str | None) -> None:
    given = [source for source in inputs if source]
    if len(given) != 1:
        raise InvalidInput(f"got {len(given)} inputs, expected exactly one of --csv, --jsonl, --json and --image")
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


def _thresholds(given: list[str] | None) -> dict[str, float] | None:
    if not given:
        return None
    thresholds: dict[str, float] = {}
    for text in given:
        label, _, limit = text.rpartition("=")
        value = _share(limit)
        if not label or value is None:
            raise InvalidInput(f"--threshold got {text!r}, expected LABEL=P with P above 0, at most 1, such as yes=0.3")
        if label in thresholds:
            raise InvalidInput(f"--threshold names {label!r} more than once, expected one threshold for a class")
        thresholds[label] = value
    return thresholds


def _share(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value <= 1 else None


def _open(
    session: Session,
    stack: ExitStack,
    model: str,
    csv: Path | None,
    jsonl: Path | None,
    json: str | None,
    options: dict[str, Any],
) -> _Source:
    if csv is not None:
        return _csv_source(session, model, stack.enter_context(opened(csv)), options)
    if jsonl is not None:
        file = stack.enter_context(opened(jsonl))
        lines = json_lines(file)
        return _Source(_bare(lines), [], "jsonl", options, size_of(file), lambda _: position_in(file))
    instances = json_text(json or "")
    return _Source(_bare(instances), [], "json", options, len(instances), lambda rows: rows)


def _pictures(files: list[Path], options: dict[str, Any]) -> _Source:
    """One instance a file, whose name goes before what is predicted for it."""
    rows = (([str(file)], {"image": _base64(file)}) for file in files)
    return _Source(rows, ["file"], "csv", options, len(files), lambda count: count)


def _base64(file: Path) -> str:
    try:
        return b64encode(file.read_bytes()).decode()
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror}") from error


def _bare(instances: Iterable[Any]) -> Iterator[tuple[list[str], Any]]:
    """Instances that come from no cells."""
    return (([], instance) for instance in instances)


def _csv_source(session: Session, model: str, file: TextIO, options: dict[str, Any]) -> _Source:
    """The version is looked up, since its signature says how cells are read."""
    from modelmill_client.resources.models import check_ready

    found = session.client.models.resolve(model, version=options["version"], alias=options["alias"])
    signature = check_ready(found)["signature"]
    rows = CsvRows(file, columns_of(signature))
    if rows.unused:
        session.remark(f"not used by the model: {', '.join(rows.unused)}")
    pinned = {**options, "version": found["version"], "alias": None}
    if signature["kind"] == "timeseries":
        return _histories(rows, signature["forecast"], pinned)
    batch = signature["inputs"][0]["shape"][0]
    return _Source(
        iter(rows),
        rows.header,
        "csv",
        pinned,
        size_of(file),
        lambda _: position_in(file),
        batch if batch > 0 else None,
    )


def _histories(rows: CsvRows, forecast: dict[str, Any], options: dict[str, Any]) -> _Source:
    """One instance a series, of its last rows; its name goes before what is forecast for it."""
    column = forecast["series"]
    histories: dict[str, deque[dict[str, Any]]] = {}
    for _, row in rows:
        name = str(row.get(column, ""))
        histories.setdefault(name, deque(maxlen=forecast["window"] + _SPARE_ROWS)).append(row)
    found = (([name] if column else [], {"history": list(kept)}) for name, kept in histories.items())
    return _Source(found, [column] if column else [], "csv", options, len(histories), lambda count: count)


def _run(
    session: Session,
    model: str,
    source: _Source,
    writer: Writer,
    batch_size: int,
    show: Callable[[int, int], None],
) -> tuple[int, int]:
    """Writes a prediction for each row, and gives the number of rows and of the version; holds one batch at a time."""
    waiting: deque[list[str]] = deque()

    def instances() -> Iterator[Any]:
        for cells, instance in source.rows:
            waiting.append(cells)
            yield instance

    count = 0
    answer: dict[str, Any] = {}
    for batch, answer in session.client.predict_batches(model, instances(), batch_size=batch_size, **source.options):
        writer.write([waiting.popleft() for _ in batch], answer)
        count += len(batch)
        show(count, source.position(count))
    if not count:
        raise InvalidInput("the input has no rows, expected at least one")
    writer.close()
    return count, answer["version"]
