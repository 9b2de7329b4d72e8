"""`modelmill usage`"""

import typer

from modelmill_client.cli.command import command
from modelmill_client.cli.session import Session


def usage(session: Session) -> None:
    """Show the quotas, how much of them is used, and the machines that jobs may ask for."""
    found = session.client.usage()
    quotas = found["quotas"].items()
    rows = ((name.replace("_", " "), quota.get("used"), quota["limit"]) for name, quota in quotas)

    def show() -> None:
        session.table(("quota", "used#", "limit#"), rows)
        session.table(("machines of training jobs",), [(name,) for name in found["compute"]["instance_types"]])

    session.show(found, show)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "usage")(usage)
