"""`modelmill usage`"""

import typer

from modelmill_client.cli.command import command
from modelmill_client.cli.session import Session


def usage(session: Session) -> None:
    """Show the quotas and how much of them is used."""
    found = session.client.usage()
    quotas = found["quotas"].items()
    rows = ((name.replace("_", " "), quota.get("used"), quota["limit"]) for name, quota in quotas)
    session.show(found, lambda: session.table(("quota", "used#", "limit#"), rows))


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "usage")(usage)
