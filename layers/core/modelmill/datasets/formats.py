"""What a file may be, how large it may be, and whether it is what it says."""

from dataclasses import dataclass
from pathlib import Path

from modelmill.datasets.schema import Problem, Rejected

# The csv module's own bound, which nothing here moves because it belongs to the whole process.
MAX_CELL_CHARACTERS = 131_072
MAX_NAME_CHARACTERS = 256

_HEAD_BYTES = 1024
# None of these is likely to begin a line of text.
_SIGNATURES = {
    b"PAR1\x15": "Parquet",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF87a": "a GIF picture",
    b"GIF89a": "a GIF picture",
    b"PK\x03\x04": "a zip archive (an Excel workbook is one too)",
    b"PK\x05\x06": "an empty zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "gzip-compressed",
    b"BZh91AY": "bzip2-compressed",
    b"\xfd7zXZ": "xz-compressed",
    b"\x28\xb5\x2f\xfd": "zstd-compressed",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "HDF5",
    b"ARROW1\x00": "an Arrow file",
    b"Obj\x01": "Avro",
    b"SQLite format 3\x00": "an SQLite database",
    b"%PDF-": "a PDF",
    b"{\\rtf": "RTF",
    b"\x7fELF": "a program",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
}
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<svg")
_WIDE_TEXT = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much a file may ask for. `line_bytes` bounds one line of text, `problems` what is reported of a bad file.

    `memory_mb` is DuckDB's share; beyond it, DuckDB spills to a folder made under `temp`.
    """

    columns: int = 1_000
    rows: int = 50_000_000
    line_bytes: int = 2_000_000
    problems: int = 20
    memory_mb: int = 160
    temp: Path | None = None


def check_content(path: Path, form: str) -> None:
    """Refuse a file whose first bytes say that it is something else than `form` (csv, jsonl, parquet, zip).

    Raises:
        Rejected: `empty_file`, `type_mismatch`, or `encoding` for UTF-16 and UTF-32.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise Rejected((Problem("empty_file", "the file is empty"),))
    found = _content(head)
    if form == "parquet":
        if not head.startswith(b"PAR1"):
            raise Rejected((_mismatch(form, found or "not"),))
    elif form == "zip":
        if not head.startswith(b"PK\x03\x04"):
            raise Rejected((_mismatch(form, found or "not"),))
    elif head.startswith(_WIDE_TEXT):
        raise Rejected((Problem("encoding", "the file is UTF-16 or UTF-32; save it as UTF-8", line=1),))
    elif found is not None:
        raise Rejected((_mismatch(form, found),))
    elif form == "csv" and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b'{"', b'[{"')):
        raise Rejected((_mismatch(form, "JSON"),))
    elif form == "jsonl" and head.lstrip().startswith(b"["):
        raise Rejected((_mismatch(form, "one JSON array; write one object per line"),))


def _content(head: bytes) -> str | None:
    known = next((name for signature, name in _SIGNATURES.items() if head.startswith(signature)), None)
    if known is None and head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_MARKUP):
        return "HTML or XML"
    return known


def _mismatch(form: str, found: str) -> Problem:
    return Problem("type_mismatch", f"the dataset was declared as {form}, but the file is {found}")
