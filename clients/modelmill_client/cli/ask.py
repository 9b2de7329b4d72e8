"""Questions before something is destroyed."""

import sys

import typer


def confirm(question: str, yes: bool) -> None:
    """Asks a person at a terminal; scripts are taken at their word.

    Raises:
        typer.Exit: the answer is no.
    """
    if yes or not sys.stdin.isatty():
        return
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)
