"""docs/cli.md names every command and every option."""

from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from modelmill_client.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
SHARED = {"--help", "--version", "--install-completion", "--show-completion"}


def _commands(group: TyperGroup, words: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            found += _commands(command, f"{words} {name}")
        else:
            found.append((f"{words} {name}", [flag for parameter in command.params for flag in parameter.opts]))
    return found


ALL = _commands(typer.main.get_command(app), "modelmill")  # type: ignore[arg-type]


@pytest.mark.parametrize(("command", "flags"), ALL, ids=[command for command, _ in ALL])
def test_the_page_names_the_command_and_its_options(command: str, flags: list[str]) -> None:
    assert command in PAGE
    assert [flag for flag in flags if flag.startswith("--") and flag not in SHARED and flag not in PAGE] == []
