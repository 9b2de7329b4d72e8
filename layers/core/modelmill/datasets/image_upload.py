"""From a zip archive of pictures to data.parquet and its schema: one picture at a time, as it came, with its label."""

import base64
import csv
import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

from modelmill.datasets import archive
from modelmill.datasets.formats import ReadLimits, check_content
from modelmill.datasets.profile import TypedFile, profile
from modelmill.datasets.schema import Column, Problem, Rejected, Schema
from modelmill.datasets.table import connect, literal
from modelmill.datasets.values import ColumnType

IMAGE, LABEL, NAME = "image", "label", "name"
_COLUMNS: dict[str, ColumnType] = {LABEL: "category", NAME: "category", "width": "integer", "height": "integer"}
_PARQUET = "label VARCHAR, name VARCHAR, width BIGINT, height BIGINT, image VARCHAR"
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_FILE_COLUMNS = ("file", "filename", "file_name", "image", "path", "name")
_LABEL_COLUMNS = ("label", "class", "category", "target")
MAX_TABLE_BYTES = 50_000_000
# DuckDB holds some lines, of which one may be tens of megabytes long.
MEMORY_MB = 768


@dataclass(frozen=True, slots=True)
class _Listed:
    """A picture that should be in the archive; `line` of the table that names it, if one does."""

    entry: zipfile.ZipInfo
    label: str
    line: int | None = None


def read_images(source: Path, target: str | None, parquet: Path, limits: ReadLimits | None = None) -> Schema:
    """Check an archive of class folders, or of pictures with one CSV of their labels, and write its pictures.

    target: the CSV's column of labels; by default one that is called label or class. The columns that result are
    `image`, `label`, `name`, `width` and `height`; labels are of the folder that a picture lies in.

    Raises:
        Rejected: with every problem found, up to the limit.
    """
    limits = limits or ReadLimits()
    check_content(source, "zip")
    try:
        with (
            TemporaryDirectory(prefix="modelmill-", dir=limits.temp) as folder,
            archive.opened(source, archive.PICTURES) as opened,
        ):
            listed = _listed(opened, target)
            lines = Path(folder, "pictures.jsonl")
            with lines.open("w", encoding="utf-8") as file:
                written = _write_lines(opened, listed, file, limits.problems)
            return _write_parquet(lines, parquet, Path(folder), replace(limits, memory_mb=MEMORY_MB), written)
    except BaseException:
        parquet.unlink(missing_ok=True)
        raise


def _listed(opened: zipfile.ZipFile, target: str | None) -> list[_Listed]:
    entries = archive.files(opened)
    tables = [entry for entry in entries if entry.filename.lower().endswith(".csv")]
    pictures = [entry for entry in entries if entry.filename.lower().endswith(_SUFFIXES)]
    if not pictures:
        _reject("no_pictures", "the archive holds no PNG, JPEG or WebP pictures")
    if len(tables) > 1:
        _reject("several_tables", f"the archive holds {len(tables)} CSV files; expected one at most")
    found = list(_by_table(opened, tables[0], pictures, target)) if tables else list(_by_folder(pictures))
    if not found:
        _reject("no_pictures", f"{tables[0].filename} lists no pictures")
    return found


def _by_folder(pictures: list[zipfile.ZipInfo]) -> Iterator[_Listed]:
    for entry in pictures:
        parts = PurePosixPath(entry.filename).parts
        if len(parts) < 2:
            message = (
                f"{entry.filename[:100]!r} lies in no folder; put each class into a folder of its name, or add a CSV"
            )
            _reject("no_label", message)
        yield _Listed(entry, parts[-2])


def _by_table(
    opened: zipfile.ZipFile, table: zipfile.ZipInfo, pictures: list[zipfile.ZipInfo], target: str | None
) -> Iterator[_Listed]:
    """Names are relative to the table's own folder, or to the archive, or bare where that is clear."""
    rows = _rows(opened, table)
    header = next(rows, (1, []))[1]
    file_at, label_at = _place(header, _FILE_COLUMNS, None, table), _place(header, _LABEL_COLUMNS, target, table)
    base = PurePosixPath(table.filename).parent
    by_path = {str(PurePosixPath(entry.filename)): entry for entry in pictures}
    counts = Counter(PurePosixPath(entry.filename).name for entry in pictures)
    by_name = {name: entry for entry in pictures if counts[name := PurePosixPath(entry.filename).name] == 1}
    for line, cells in rows:
        name = cells[file_at].strip().replace("\\", "/") if len(cells) > max(file_at, label_at) else ""
        entry = by_path.get(str(base / name)) or by_path.get(name) or by_name.get(PurePosixPath(name or "?").name)
        if entry is None or not cells[label_at].strip():
            what = f"there is no picture {name[:100]!r} in the archive" if entry is None else "the label is empty"
            raise Rejected((Problem("bad_listing", f"{table.filename}: {what}", line=line),))
        yield _Listed(entry, cells[label_at].strip(), line)


def _rows(opened: zipfile.ZipFile, table: zipfile.ZipInfo) -> Iterator[tuple[int, list[str]]]:
    if table.file_size > MAX_TABLE_BYTES:
        _reject(
            "table_too_large", f"{table.filename} has {table.file_size:,} bytes; expected at most {MAX_TABLE_BYTES:,}"
        )
    try:
        text = opened.read(table).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        for cells in reader:
            if any(cells):
                yield reader.line_num, cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise Rejected((Problem("bad_listing", f"{table.filename} is not CSV in UTF-8: {error}"),)) from error


def _place(header: list[str], usual: tuple[str, ...], asked: str | None, table: zipfile.ZipInfo) -> int:
    names = [name.strip().lower() for name in header]
    for wanted in (asked.lower(),) if asked else usual:
        if wanted in names:
            return names.index(wanted)
    expected = repr(asked) if asked else " or ".join(usual)
    message = f"{table.filename} has the columns {', '.join(header[:20])}; expected one called {expected}"
    raise Rejected((Problem("bad_listing", message, line=1),))


@dataclass(frozen=True, slots=True)
class _Written:
    """How many different pictures there are, and the characters of the longest line."""

    distinct: int
    longest: int


def _write_lines(opened: zipfile.ZipFile, listed: list[_Listed], file: IO[str], most: int) -> _Written:
    """A line of JSON for each picture."""
    problems: list[Problem] = []
    digests: set[bytes] = set()
    longest = 0
    for each in listed:
        content = opened.read(each.entry)
        try:
            width, height = _size(content)
        except ValueError as error:
            code = getattr(error, "code", "unreadable")
            problems.append(Problem(code, f"the picture {each.entry.filename[:200]!r} {error}", line=each.line))
            if len(problems) >= most:
                break
            continue
        digests.add(hashlib.sha256(content).digest())
        row = {"label": each.label, "name": each.entry.filename, "width": width, "height": height}
        line = json.dumps(row | {"image": base64.b64encode(content).decode()}) + "\n"
        longest = max(longest, len(line))
        file.write(line)
    if problems:
        raise Rejected(tuple(problems))
    return _Written(len(digests), longest)


def _size(content: bytes) -> tuple[int, int]:
    from modelmill.datasets.pictures import open_picture

    return open_picture(content).size


def _write_parquet(lines: Path, parquet: Path, folder: Path, limits: ReadLimits, written: _Written) -> Schema:
    columns = ", ".join(f"{name}: '{type_}'" for name, type_ in (part.split() for part in _PARQUET.split(", ")))
    with connect([lines, parquet], folder, limits) as connection:
        connection.execute(
            f"""COPY (SELECT label, name, width, height, from_base64(image) AS image FROM read_json({literal(lines)},
            format = 'newline_delimited', columns = {{{columns}}}, maximum_object_size = {written.longest + 1024}))
            TO {literal(parquet)} (FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE 2048)"""
        )
        [(rows,)] = connection.execute(f"SELECT count(*) FROM read_parquet({literal(parquet)})").fetchall()
        described = profile(connection, TypedFile(parquet, list(_COLUMNS), list(_COLUMNS.values()), rows))
    # Names of few pictures are no categories.
    found = [replace(column, type="text", top=None) if column.name == NAME else column for column in described]
    return Schema("image", rows, rows - written.distinct, [Column(IMAGE, "image", 0, written.distinct), *found])


def _reject(code: str, message: str) -> None:
    raise Rejected((Problem(code, message),))
