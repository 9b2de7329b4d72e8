"""`modelmill base-models …`"""

from pathlib import Path
from typing import Annotated, Any

import typer

from modelmill_client.cli.ask import confirm
from modelmill_client.cli.command import command
from modelmill_client.cli.live import transfer
from modelmill_client.cli.session import Session
from modelmill_client.cli.text import size
from modelmill_client.cli.uploaded import show_problems, wait_for

app = typer.Typer(
    name="base-models",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Upload encoders of the BERT family, from which jobs on texts may start.",
)

BaseModelArgument = Annotated[
    str, typer.Argument(metavar="BASE_MODEL", help="Id, or name (then the newest of that name).")
]


@command(app, "upload")
def upload(
    session: Session,
    path: Annotated[
        Path,
        typer.Argument(
            exists=True, readable=True, metavar="FOLDER_OR_ZIP", help="A Hugging Face folder, or a zip of one."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the base model; by default that of the folder.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Return when it has been checked.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 900.0,
) -> None:
    """Upload config.json, model.safetensors and the tokenizer of a folder as a new base model."""
    with transfer(session, path.name) as progress:
        base_model = session.client.base_models.upload(path, name=name, progress=progress)
    base_model_id = base_model["base_model_id"]
    if wait:
        base_model = wait_for(session, session.client.base_models, base_model_id, timeout)
    base_model.pop("upload", None)
    follow_up = f"{base_model_id} is uploaded; `modelmill base-models show {base_model_id}` shows what comes of it"
    session.show(base_model, (lambda: show_base_model(session, base_model)) if wait else follow_up)


@command(app, "list")
def list_base_models(session: Session) -> None:
    """List all base models, newest first."""
    session.list(
        session.client.base_models.list(),
        ("base model", "name", "status", "type", "parameters#", "size#", "created"),
        lambda b: (
            b["base_model_id"],
            b["name"],
            b["status"],
            (b.get("architecture") or {}).get("model_type"),
            b.get("parameters"),
            size(b.get("bytes")),
            b["created_at"],
        ),
    )


@command(app, "show")
def show(session: Session, base_model: BaseModelArgument) -> None:
    """Show what a base model is, or what is wrong with its archive."""
    found = session.client.base_models.find(base_model)
    session.show(found, lambda: show_base_model(session, found))


@command(app, "delete")
def delete(
    session: Session,
    base_model: BaseModelArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a base model's bytes; models trained from it stay."""
    found = session.client.base_models.find(base_model)
    confirm(f"Delete the bytes of {found['base_model_id']} ({found['name']})?", yes)
    session.client.base_models.delete(found["base_model_id"])
    deleted = {"base_model_id": found["base_model_id"], "deleted": True}
    session.show(deleted, f"{found['base_model_id']} is deleted")


def show_base_model(session: Session, base_model: dict[str, Any]) -> None:
    """Prints a base model with its architecture or its problems."""
    architecture = base_model.get("architecture") or {}
    known = ("model_type", "layers", "width", "heads", "vocabulary", "max_length", "activation")
    session.facts(
        (
            ("base model", base_model["base_model_id"]),
            ("name", base_model["name"]),
            ("status", base_model["status"]),
            ("parameters", base_model.get("parameters")),
            *((name.replace("_", " "), architecture.get(name)) for name in known),
            ("files", ", ".join(base_model.get("files") or ()) or None),
            ("size", size(base_model["bytes"]) if base_model.get("bytes") is not None else None),
        )
    )
    show_problems(session, base_model)
