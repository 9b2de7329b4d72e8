"""`modelmill keys …`"""

from typing import Annotated

import typer

from modelmill_client.cli.ask import confirm
from modelmill_client.cli.command import command
from modelmill_client.cli.session import Session

app = typer.Typer(name="keys", no_args_is_help=True, rich_markup_mode=None, help="API keys: who may do what.")


@command(app, "create")
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[str], typer.Option(help="read, predict, train or admin; may be repeated.")],
) -> None:
    """Make a key; its secret is shown this once."""
    key = session.client.keys.create(name, scope)
    if not session.json_output:
        session.remark(f"{key['key_id']} may {', '.join(key['scopes'])}. Keep the secret now, it is not shown again:")
    session.show(key, key["key"])


@command(app, "list")
def list_keys(session: Session) -> None:
    """List all keys, without their secrets."""
    session.list(
        session.client.keys.list(),
        ("key", "name", "scopes", "created"),
        lambda k: (k["key_id"], k["name"], k["scopes"], k["created_at"]),
    )


@command(app, "revoke")
def revoke(
    session: Session,
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="Id of the key.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Make a key useless within seconds."""
    confirm(f"Revoke {key_id}? Whoever uses it is locked out.", yes)
    session.client.keys.revoke(key_id)
    session.show({"key_id": key_id, "revoked": True}, f"{key_id} is revoked")
