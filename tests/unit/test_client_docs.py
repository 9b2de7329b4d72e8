"""The pages agree with the code: docs/cli.md names every command and every option, links lead somewhere."""

import re
import tomllib
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from modelmill_client.cli.app import app

PAGE_FOLDER = Path(__file__).parents[2] / "docs"
PAGE = (PAGE_FOLDER / "cli.md").read_text()
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


def test_links_between_pages_lead_somewhere() -> None:
    root = PAGE_FOLDER.parent
    pages = [root / "README.md", root / "CHANGELOG.md", *PAGE_FOLDER.rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]

    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_the_changelog_and_the_project_have_the_same_version() -> None:
    root = PAGE_FOLDER.parent
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]

    newest = re.search(r"^## (\S+)", (root / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert newest is not None
    assert newest[1] == project["version"]
