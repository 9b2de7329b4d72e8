"""`modelmill usage`"""

import typer

from modelmill_client.cli.command import command
from modelmill_client.cli.session import Session


def usage(session: Session) -> None:
    """Show the quotas and how much of them is used."""
    found = session.client.usage()
    if session.json_output:
        session.emit(found)
        return
    session.table(
        ("quota", "used#", "limit#"),
        ((name.replace("_", " "), quota.get("used"), quota["limit"]) for name, quota in found["quotas"].items()),
    )


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "usage", rich_help_panel="Account")(usage)
