"""`modelmill algorithms`"""

import json
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from modelmill_client.cli.command import command
from modelmill_client.cli.session import Session
from modelmill_client.errors import InvalidInput


def algorithms(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One algorithm; all without it.")] = None,
) -> None:
    """List what can be trained, or show the hyper-parameters of one algorithm."""
    catalogue = session.client.algorithms()
    if name is not None:
        chosen = _find(catalogue, name)
        session.show(chosen, lambda: _show(session, chosen))
    else:
        session.list(catalogue, ("algorithm", "tasks", "what"), lambda a: (a["name"], a["tasks"], a["summary"]))


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "algorithms")(algorithms)


def _find(catalogue: Iterable[dict[str, Any]], name: str) -> dict[str, Any]:
    for algorithm in catalogue:
        if algorithm["name"] == name:
            return algorithm
    known = ", ".join(algorithm["name"] for algorithm in catalogue)
    raise InvalidInput(f"there is no algorithm {name!r}, expected one of {known}")


def _show(session: Session, algorithm: dict[str, Any]) -> None:
    session.facts(
        (
            ("algorithm", algorithm["name"]),
            ("tasks", algorithm.get("tasks")),
            ("what", algorithm["summary"]),
        )
    )
    properties: dict[str, dict[str, Any]] = (algorithm.get("hyperparameters") or {}).get("properties", {})
    session.table(
        ("hyper-parameter", "type", "default", "accepts", "what"),
        (
            (name, _types(rule), json.dumps(rule.get("default")), _accepts(rule), rule.get("description"))
            for name, rule in properties.items()
        ),
    )


def _types(rule: dict[str, Any]) -> str:
    kinds = rule.get("type", [])
    return " or ".join(kinds if isinstance(kinds, list) else [kinds])


def _accepts(rule: dict[str, Any]) -> str:
    if "enum" in rule:
        return ", ".join(json.dumps(value) for value in rule["enum"])
    bounds = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    return " ".join(f"{word} {rule[key]:g}" for key, word in bounds.items() if key in rule)
