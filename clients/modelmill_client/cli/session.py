"""One run of a command: its connection, and where its output goes."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from modelmill_client.cli.text import cell, plain

if TYPE_CHECKING:
    from rich.console import Console

    from modelmill_client.client import Client

_WIDTH_OF_A_PIPE = 200


class Session:
    """Results go to stdout, as JSON with `--json`; progress and remarks go to stderr."""

    def __init__(
        self, *, url: str | None = None, api_key: str | None = None, state: Path, json_output: bool = False
    ) -> None:
        self.json_output = json_output
        self.state = state
        self._url = url
        self._api_key = api_key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if "client" in self.__dict__:
            self.client.close()

    @cached_property
    def client(self) -> "Client":
        """The connection, made when it is first needed."""
        from modelmill_client.client import Client

        return Client(self._url, self._api_key, state=self.state)

    @property
    def is_local(self) -> bool:
        """Whether the address comes from the state folder."""
        return self._url is None

    @cached_property
    def console(self) -> "Console":
        """stdout."""
        from rich.console import Console

        width = None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE
        return Console(width=width, markup=False, highlight=False, emoji=False)

    @cached_property
    def progress_console(self) -> "Console":
        """stderr."""
        from rich.console import Console

        return Console(stderr=True, markup=False, highlight=False, emoji=False)

    def emit(self, value: Any) -> None:
        """Prints a value as JSON."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
        sys.stdout.flush()

    def show(self, value: Any, view: str | Callable[[], None]) -> None:
        """Prints a result: the value as JSON, or else the text, or whatever the view prints."""
        if self.json_output:
            self.emit(value)
        elif isinstance(view, str):
            self.say(view)
        else:
            view()

    def list(
        self,
        items: Iterable[dict[str, Any]],
        columns: Sequence[str],
        row: Callable[[dict[str, Any]], Sequence[object]],
    ) -> None:
        """Prints all items: as JSON, or as a table with one row each."""
        fetched = [*items]
        self.show(fetched, lambda: self.table(columns, map(row, fetched)))

    def say(self, text: str) -> None:
        """Prints a line of a result."""
        sys.stdout.write(plain(text) + "\n")

    def remark(self, text: str) -> None:
        """Prints a line on stderr."""
        sys.stderr.write(plain(text) + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
        """Prints a table; a column whose name ends in '#' is aligned to the right."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
        for column in columns:
            table.add_column(column.rstrip("#"), justify="right" if column.endswith("#") else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell(value)) for value in row))
        self.console.print(table)

    def facts(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Prints names and values below each other; what is None is left out."""
        for name, value in pairs:
            if value is not None:
                self.say(f"{name:<14} {cell(value)}")
