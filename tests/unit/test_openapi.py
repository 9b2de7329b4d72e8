"""One document for both planes, and the template's routes behind it."""

import json
from typing import Any, cast

import pytest

from modelmill.web.application import control_plane
from modelmill.web.control import Services
from modelmill.web.openapi import DATA_PLANE
from modelmill.web.routes.service import document
from tests.template_setup import resolved


@pytest.fixture(scope="module")
def paths() -> dict[str, Any]:
    """What the document says; it needs no stores."""
    nothing = dict.fromkeys(Services.__dataclass_fields__, cast(Any, None))
    return json.loads(document(control_plane(Services(**nothing))))["paths"]


def test_the_data_plane_is_documented_and_routed_alike() -> None:
    template = resolved()
    routed = {path: set(calls) for path, calls in template["HttpApi"]["Body"]["paths"].items() if path != "$default"}

    assert routed == {path: set(calls) for path, calls in DATA_PLANE.items()}


def test_no_path_belongs_to_both_planes(paths: dict[str, Any]) -> None:
    for path, calls in DATA_PLANE.items():
        assert set(paths[path]) == set(calls)


def test_every_call_says_what_it_does_and_how_it_fails(paths: dict[str, Any]) -> None:
    calls = [call for path in paths.values() for call in path.values()]

    assert len(calls) > 20
    for call in calls:
        assert call["summary"]
        assert "application/problem+json" in call["responses"]["404"]["content"]
