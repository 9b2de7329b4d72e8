"""template.yaml as CloudFormation gets to see it. Prints the translated template as JSON, for cfn-lint."""

import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from modelmill_local.intrinsics import Resolver
from modelmill_local.template import translate

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"

type Resources = dict[str, dict[str, Any]]


class _ReadableNames:
    """A reference stays readable: `Ref` is the logical id, an attribute is `LogicalId.Attribute`."""

    def ref(self, logical_id: str) -> str:
        return logical_id

    def attribute(self, logical_id: str, name: str) -> str:
        return f"{logical_id}.{name}"


def translated() -> dict[str, Any]:
    """The translated template; its intrinsic functions are left as they are."""
    return dict(json.loads(_translated()))


def resolved(parameters: Mapping[str, str] | None = None, stack: str = "mm") -> Resources:
    """The resources of a stack with these parameters, references turned into readable names."""
    source = translated()
    resolver = Resolver(source, parameters or {}, stack, _ReadableNames())
    return {
        name: resolver.resolve({key: value for key, value in body.items() if key != "Condition"})
        for name, body in source["Resources"].items()
        if "Condition" not in body or resolver.holds(body["Condition"])
    }


@cache
def _translated() -> str:
    return json.dumps(translate(TEMPLATE))


if __name__ == "__main__":
    json.dump(translated(), sys.stdout, indent=2)
