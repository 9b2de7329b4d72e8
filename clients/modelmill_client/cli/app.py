"""The commands put together."""

from typing import Annotated

import typer

from modelmill_client.cli import (
    account,
    algorithms,
    base_models,
    datasets,
    jobs,
    keys,
    models,
    predict,
    report,
    train,
    up,
)

app = typer.Typer(
    name="modelmill",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Upload data, get a trained, evaluated, versioned model behind an HTTP API.",
    epilog=(
        "Exit codes: 0 done, 1 a dataset or a model was rejected or a job failed, 2 wrong usage, 3 the server refused, "
        "4 the server cannot be reached, 5 still under way after the given time, 130 interrupted."
    ),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"modelmill {version('modelmill')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Upload data, get a trained, evaluated, versioned model behind an HTTP API."""


up.register(app)
app.add_typer(datasets.app)
app.add_typer(base_models.app)
train.register(app)
jobs.register(app)
models.register(app)
report.register(app)
predict.register(app)
algorithms.register(app)
app.add_typer(keys.app)
account.register(app)


def main() -> None:
    """Runs the command line of this process."""
    app()
