"""Ways to ask template.yaml questions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra import translated as translation

ROOT = translation.TEMPLATE.parent
STACK = "mm"
FUNCTIONS = ("Api", "Infer", "Ingest", "Dispatch", "Track", "Admit")
CONSUMERS = ("Ingest", "Dispatch", "Track", "Admit")


@dataclass(frozen=True)
class Template:
    """The resources that a deployment with certain parameters would have."""

    resources: dict[str, dict[str, Any]]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties by logical id."""
        return {name: body["Properties"] for name, body in self.resources.items() if body["Type"] == kind}

    def __getitem__(self, logical_id: str) -> dict[str, Any]:
        return self.resources[logical_id].get("Properties", {})


def resolved(parameters: Mapping[str, str] | None = None) -> Template:
    """The template with these parameters, defaults for the rest."""
    return Template(translation.resolved(parameters, STACK))


EVERYTHING_ON = {
    "CorsOrigin": "https://app.example",
    "AlarmEmail": "ops@example.com",
    "OwnKmsKey": "true",
    "SnapStart": "true",
    "InferReservedConcurrency": "5",
    "Tracing": "true",
    "Dashboard": "true",
    "TrainingCodeHash": "0" * 64,
}


@dataclass(frozen=True)
class Statement:
    """One statement of an identity policy, with lists where IAM allows a single value."""

    owner: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: dict[str, Any]


def statements(template: Template, role: str | None = None) -> Iterator[Statement]:
    """All statements of all roles and managed policies, or those that one role has."""
    for owner, properties in template.of_type("AWS::IAM::Role").items():
        if role in (None, owner):
            for policy in properties["Policies"]:
                yield from _statements(owner, policy["PolicyDocument"])
    for owner, properties in template.of_type("AWS::IAM::ManagedPolicy").items():
        if role is None or role in properties["Roles"]:
            yield from _statements(owner, properties["PolicyDocument"])


def _statements(owner: str, document: dict[str, Any]) -> Iterator[Statement]:
    for statement in document["Statement"]:
        yield Statement(
            owner,
            statement["Effect"],
            tuple(as_list(statement["Action"])),
            tuple(as_list(statement["Resource"])),
            statement.get("Condition", {}),
        )


def as_list(value: Any) -> list[Any]:
    """A value that a policy may write alone or in a list."""
    return value if isinstance(value, list) else [value]
