"""What must hold for any text file before a parser may see it: UTF-8, no NUL, lines of bounded length."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from modelmill.datasets.formats import ReadLimits
from modelmill.datasets.schema import Problem, Rejected

_CHUNK_BYTES = 1 << 20


def check_text(path: Path, limits: ReadLimits) -> None:
    """Read the file once in bounded memory.

    Raises:
        Rejected: `encoding`, `line_too_long`, or `empty_file` when there is nothing but white space.
    """
    offset, line_start, blank = 0, 0, True
    decoder = codecs.getincrementaldecoder("utf-8")()
    for chunk in chunks(path, min(_CHUNK_BYTES, limits.line_bytes)):
        if b"\0" in chunk:
            message = "found a NUL byte: the file is binary, or text that is not UTF-8"
            raise _rejected(path, "encoding", message, offset + chunk.index(b"\0"))
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            message = f"byte 0x{error.object[error.start]:02x} is not valid UTF-8; save the file as UTF-8"
            raise _rejected(path, "encoding", message, offset - pending + error.start) from None
        ends = _line_ends(chunk)
        if offset + (ends[0] if ends else len(chunk)) - line_start > limits.line_bytes:
            raise _rejected(path, "line_too_long", f"the line has more than {limits.line_bytes:,} bytes", line_start)
        line_start = offset + ends[1] if ends else line_start
        blank = blank and not text.lstrip("\ufeff").strip()
        offset += len(chunk)
    if blank:
        raise Rejected((Problem("empty_file", "the file has nothing but white space"),))


def chunks(path: Path, size: int = _CHUNK_BYTES) -> Iterator[bytes]:
    """The file's bytes, then one empty chunk that ends them."""
    with path.open("rb") as file:
        while chunk := file.read(size):
            yield chunk
    yield b""


def _line_ends(chunk: bytes) -> tuple[int, int] | None:
    """Where the chunk's first line ends and its last one begins, or None when it holds no line end."""
    last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
    firsts = [place for place in (chunk.find(b"\n"), chunk.find(b"\r")) if place >= 0]
    return (min(firsts), last) if firsts else None


def _rejected(path: Path, code: str, message: str, offset: int) -> Rejected:
    return Rejected((Problem(code, message, line=_line_at(path, offset)),))


def _line_at(path: Path, offset: int) -> int:
    """The number of the line that holds this byte; a line ends in LF, CRLF or CR."""
    line, last = 1, b""
    for chunk in chunks(path):
        part = chunk[:offset]
        line += part.count(b"\n") + part.count(b"\r") - part.count(b"\r\n")
        line -= last == b"\r" and part.startswith(b"\n")
        last, offset = part[-1:], offset - len(part)
        if offset <= 0:
            break
    return line
