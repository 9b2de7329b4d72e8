"""A file whose structure is sound, in the form in which DuckDB reads it, and the DuckDB that does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelmill.datasets.formats import ReadLimits
from modelmill.datasets.values import ColumnType

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# What one more column takes while a chunk of 2,048 rows is read, cast and written.
_COLUMN_KB = 250


@dataclass(frozen=True, slots=True)
class Table:
    """`SELECT cells FROM relation` gives `rows` rows in file order, one cell per name.

    Cells are text unless `types` says what the file itself declared; "category" then stands for text of any kind.
    A missing cell is NULL. `find(column, test)` is the line of the first cell, as text, that passes a test; None
    when the format has no lines.
    """

    names: list[str]
    relation: str
    cells: list[str]
    rows: int
    find: Callable[[int, Callable[[str], bool]], int | None]
    types: list[ColumnType] | None = None


def identifier(name: str) -> str:
    """A name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """A text as SQL."""
    return "'" + str(text).replace("'", "''") + "'"


@contextmanager
def connect(
    files: list[Path], scratch: Path, limits: ReadLimits, columns: int = 0, share: float = 1.0
) -> "Iterator[DuckDBPyConnection]":
    """A DuckDB that can open these files and the scratch folder, nothing else, and cannot be told otherwise.

    It has one thread: with more, row groups and sums of floating-point numbers would differ from run to run. A wide
    table gets more memory, a part of the work may get a `share` of it.
    """
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{int(limits.memory_mb * share) + columns * _COLUMN_KB // 1000}MB",
        "threads": 1,
        "temp_directory": str(scratch / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
    }
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET parquet_metadata_cache = true")
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET allowed_paths = $1", [[str(file) for file in files]])
        connection.execute("SET allowed_directories = $1", [[str(scratch)]])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection
