"""`modelmill up`: the whole system on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from modelmill_client.cli.command import EXIT_USAGE


def up(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the API; 0 takes any free one.")] = 8080,
    aws_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the local AWS services; 0 takes any free one.")
    ] = 8081,
    state: Annotated[Path, typer.Option(help="Folder for data, models, logs and the key.")] = Path(".modelmill"),
    bind: Annotated[
        str,
        typer.Option(
            help="Address to listen on. 0.0.0.0 lets containers and other machines in, "
            "and to the AWS port too, which takes any credentials: all data and models are open to them."
        ),
    ] = "127.0.0.1",
) -> None:
    """Run modelmill on this machine until Ctrl-C: no Docker, no AWS account, no network."""
    try:
        from modelmill_local.up import run
    except ModuleNotFoundError as error:
        typer.echo(
            f"error: the local cloud is not installed (there is no module {error.name}); "
            "it runs from a checkout of modelmill: `make up` there sets it up and starts it",
            err=True,
        )
        raise typer.Exit(EXIT_USAGE) from error
    run(port=port, aws_port=aws_port, state=state, bind=bind)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("up")(up)
