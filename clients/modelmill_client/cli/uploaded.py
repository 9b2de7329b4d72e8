"""What the commands on datasets and base models share."""

from typing import TYPE_CHECKING, Any

from modelmill_client.cli.session import Session
from modelmill_client.errors import NotReady

if TYPE_CHECKING:  # so that `modelmill --help` does not wait for httpx
    from modelmill_client.resources.uploaded import Uploaded


def show_problems(session: Session, uploaded: dict[str, Any]) -> None:
    """Prints what is wrong with a file."""
    problems = uploaded.get("problems") or []
    if problems:
        session.table(
            ("problem", "line#", "column", "what"),
            ((p["code"], p.get("line"), p.get("column"), p["message"]) for p in problems),
        )


def wait_for(session: Session, resource: "Uploaded", resource_id: str, timeout: float) -> dict[str, Any]:
    """What has this id, once it is ready; what is wrong with it is printed."""
    try:
        return resource.wait(resource_id, timeout=timeout)
    except NotReady as error:
        if not session.json_output:
            show_problems(session, error.resource)
        raise
