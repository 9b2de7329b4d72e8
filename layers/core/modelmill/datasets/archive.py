"""Reading a zip archive that nobody vouches for: what it says of itself is checked before anything is unpacked."""

import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple, NoReturn

from modelmill.datasets.schema import Problem, Rejected

MAX_RATIO = 200
MAX_NAME_CHARACTERS = 500


class ArchiveLimits(NamedTuple):
    """What an archive may hold: how many entries, and bytes in all and of each when they are unpacked."""

    entries: int
    unpacked_bytes: int
    entry_bytes: int


PICTURES = ArchiveLimits(entries=200_000, unpacked_bytes=4_000_000_000, entry_bytes=30_000_000)


@contextmanager
def opened(path: Path, limits: ArchiveLimits) -> Iterator[zipfile.ZipFile]:
    """The archive, its directory checked.

    Raises:
        Rejected: `unreadable`, `archive_entries`, `archive_size`, `archive_ratio` or `archive_name`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive, path.stat().st_size, limits)
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError, ValueError) as error:
        raise Rejected((Problem("unreadable", f"the zip archive cannot be read: {str(error)[:200]}"),)) from error


def files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files in it, without folders and what systems leave behind (names that begin with a dot, __MACOSX)."""
    return [entry for entry in archive.infolist() if not entry.is_dir() and not _is_hidden(entry.filename)]


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") for part in parts) or "__MACOSX" in parts or parts[-1] == "Thumbs.db"


def _check(archive: zipfile.ZipFile, size: int, limits: ArchiveLimits) -> None:
    entries = archive.infolist()
    if len(entries) > limits.entries:
        _reject("archive_entries", f"the archive has {len(entries):,} entries; expected at most {limits.entries:,}")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > limits.unpacked_bytes:
        message = f"the archive unpacks to {unpacked:,} bytes; expected at most {limits.unpacked_bytes:,}"
        _reject("archive_size", message)
    if unpacked > MAX_RATIO * max(size, 1):
        _reject("archive_ratio", f"the archive unpacks to more than {MAX_RATIO} times its size")
    seen: set[str] = set()
    for entry in entries:
        problem = _problem_of(entry, limits.entry_bytes)
        if entry.filename.casefold() in seen:
            problem = "occurs twice, but for upper and lower case"
        if problem:
            _reject("archive_name", f"the entry {entry.filename[:100]!r} {problem}")
        seen.add(entry.filename.casefold())


def _problem_of(entry: zipfile.ZipInfo, most: int) -> str | None:
    # As it stands in the archive: the library cuts names at NUL and replaces separators.
    name = entry.orig_filename
    if "\0" in name or "\\" in name or len(name) > MAX_NAME_CHARACTERS:
        return "has a name that cannot be used"
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or ":" in (path.parts[0] if path.parts else ""):
        return "leads out of the archive"
    mode = entry.external_attr >> 16
    if mode and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode) and stat.S_IFMT(mode):
        return "is no plain file"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.file_size > most:
        return f"has {entry.file_size:,} bytes; expected at most {most:,}"
    return None


def _reject(code: str, message: str) -> NoReturn:
    raise Rejected((Problem(code, message),))
