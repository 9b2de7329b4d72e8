"""What all commands share: how to reach the server, `--json`, and one line and an exit code for every failure."""

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from modelmill_client.cli.session import Session
from modelmill_client.errors import (
    ApiError,
    ClientError,
    ConfigurationError,
    ConnectionFailed,
    InvalidInput,
    NotReady,
    UploadFailed,
    WaitTimeout,
)

EXIT_FAILED, EXIT_USAGE, EXIT_API, EXIT_UNREACHABLE, EXIT_TIMEOUT, EXIT_INTERRUPTED = 1, 2, 3, 4, 5, 130

_EXIT_CODES: tuple[tuple[type[ClientError], int], ...] = (
    (ConfigurationError, EXIT_USAGE),
    (InvalidInput, EXIT_USAGE),
    (ApiError, EXIT_API),
    (UploadFailed, EXIT_API),
    (ConnectionFailed, EXIT_UNREACHABLE),
    (WaitTimeout, EXIT_TIMEOUT),
    (ClientError, EXIT_FAILED),
)

_CONNECTION: dict[str, tuple[Any, Any]] = {
    "url": (
        Annotated[
            str | None,
            typer.Option("--url", help="The server's address.", envvar="MODELMILL_URL"),
        ],
        None,
    ),
    "api_key": (
        Annotated[
            str | None,
            typer.Option(
                "--api-key",
                help="The key; in the environment it does not show up in process lists.",
                envvar="MODELMILL_API_KEY",
                show_default=False,
            ),
        ],
        None,
    ),
    "state": (
        Annotated[
            Path,
            typer.Option("--state", help="State folder of `modelmill up`, used without --url."),
        ],
        Path(".modelmill"),
    ),
}
_JSON = (Annotated[bool, typer.Option("--json", help="Print JSON, and nothing but JSON, on stdout.")], False)


def command(app: typer.Typer, name: str, *, json_flag: bool = True, **settings: Any) -> Callable[..., Any]:
    """Registers a function `(session, …)` as a command that also takes the connection options and `--json`."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        app.command(name, **settings)(_with_session(function, json_flag))
        return function

    return register


def group(app: typer.Typer) -> Callable[..., Any]:
    """Registers a function `(session, …)` as what a group does when none of its commands is named."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        alone = _with_session(function, json_flag=True)
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

        def run(context: typer.Context, **values: Any) -> None:
            if context.invoked_subcommand is None:
                alone(**values)
            else:
                _refuse_options(context, context.invoked_subcommand)

        _describe(run, function, [*inspect.signature(alone).parameters.values(), context])
        app.callback(invoke_without_command=True)(run)
        return function

    return register


def _with_session(function: Callable[..., None], json_flag: bool) -> Callable[..., None]:
    shared = {**({"json_output": _JSON} if json_flag else {}), **_CONNECTION}
    _, *own = inspect.signature(function).parameters.values()

    def run(**values: Any) -> None:
        session = Session(**{option: values.pop(option) for option in shared})
        with session:
            guarded(session, lambda: function(session, **values))

    added = (
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for option, (annotation, default) in shared.items()
    )
    _describe(run, function, [*own, *added])
    return run


def _describe(run: Callable[..., None], function: Callable[..., None], parameters: list[inspect.Parameter]) -> None:
    """Makes `run` look like the function with these parameters, which is what the command line is made from."""
    run.__doc__ = function.__doc__
    run.__name__ = function.__name__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]


def _refuse_options(context: typer.Context, name: str) -> None:
    """Options of the group would be lost on its command, and a call would go to another server than the one named."""
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if source is not None and source.name == "COMMANDLINE":
            context.fail(f"give {option.opts[0]} behind {name!r}: {context.command_path} {name} … {option.opts[0]}")


def guarded(session: Session, action: Callable[[], None]) -> None:
    """Runs the action; what goes wrong becomes one line on stderr and an exit code."""
    try:
        action()
    except ClientError as error:
        if isinstance(error, NotReady) and session.json_output:
            session.emit(error.resource)
        typer.echo(f"error: {_line(error, session)}", err=True)
        raise typer.Exit(exit_code(error)) from error
    except KeyboardInterrupt as interrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from interrupt
    except BrokenPipeError:
        # The reader (`head`, `less`) has gone; nothing more may be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def exit_code(error: ClientError) -> int:
    """The documented exit code for an error."""
    return next(code for kind, code in _EXIT_CODES if isinstance(error, kind))


def _line(error: ClientError, session: Session) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, ConnectionFailed) and session.is_local:
        return f"{text}; is it running? Start it with `modelmill up --state {session.state}`"
    if isinstance(error, ApiError) and error.status == 401:
        return f"{text}; check --api-key or MODELMILL_API_KEY"
    return text
