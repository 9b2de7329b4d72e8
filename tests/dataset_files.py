"""Files to upload, written and read back."""

from pathlib import Path
from typing import Any

import duckdb

from modelmill.datasets.formats import ReadLimits
from modelmill.datasets.schema import Column, Problem, Rejected, Schema
from modelmill.datasets.table_upload import read_table


class Uploads:
    """A folder in which files are written, read as uploads, and looked at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "upload"
        self.parquet = folder / "data.parquet"

    def read(self, content: bytes | str, form: str = "csv", **limits: Any) -> Schema:
        """The schema of a good file."""
        self.source.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(self.source, form, self.parquet, ReadLimits(temp=self.folder, **limits))

    def problems(self, content: bytes | str, form: str = "csv", **limits: Any) -> tuple[Problem, ...]:
        """What is wrong with a bad file, of which nothing is kept."""
        try:
            self.read(content, form, **limits)
        except Rejected as rejected:
            assert sorted(path.name for path in self.folder.iterdir()) == ["upload"]
            return rejected.problems
        raise AssertionError("the file was accepted")

    def rows(self) -> list[tuple[Any, ...]]:
        """What was written."""
        with duckdb.connect() as connection:
            return connection.execute("SELECT * FROM read_parquet($1)", [str(self.parquet)]).fetchall()

    def described(self) -> list[tuple[str, str]]:
        """The names and types of what was written."""
        with duckdb.connect() as connection:
            rows = connection.execute("DESCRIBE SELECT * FROM read_parquet($1)", [str(self.parquet)]).fetchall()
        return [(name, kind) for name, kind, *_ in rows]

    def made_by_duckdb(self, select: str) -> bytes:
        """A Parquet file with the result of a query."""
        made = self.folder / "made.parquet"
        with duckdb.connect() as connection:
            connection.execute(f"COPY ({select}) TO '{made}' (FORMAT parquet)")
        content = made.read_bytes()
        made.unlink()
        return content


def types(schema: Schema) -> list[str]:
    return [column.type for column in schema.columns]


def column(schema: Schema, name: str) -> Column:
    found = schema.column(name)
    assert found is not None
    return found
