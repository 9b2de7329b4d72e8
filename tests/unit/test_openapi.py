"""One document for both planes, and the template's routes behind it."""

import json
from typing import Any, cast

import pytest

from modelmill.web.application import control_plane
from modelmill.web.control import Services
from modelmill.web.openapi import DATA_PLANE
from modelmill.web.routes.service import document
from tests.inference_setup import Plane
from tests.template_setup import resolved


@pytest.fixture(scope="module")
def paths() -> dict[str, Any]:
    """What the document says; it needs no stores."""
    nothing = dict.fromkeys(Services.__dataclass_fields__, cast(Any, None))
    return json.loads(document(control_plane(Services(**nothing))))["paths"]


def test_the_data_plane_is_documented_and_routed_alike() -> None:
    routed = {path: set(calls) for path, calls in resolved()["HttpApi"]["Body"]["paths"].items() if path != "$default"}
    own = {path: set(calls) for path, calls in DATA_PLANE.items() if not path.startswith("/v2")}
    everything = {"x-amazon-apigateway-any-method"}

    assert routed == own | {"/v2": everything, "/v2/{call+}": everything}


def test_the_document_names_the_routes_of_the_function() -> None:
    routes = Plane().inference.routes

    documented = {(method.upper(), path) for path, calls in DATA_PLANE.items() for method in calls}

    assert {(route.method, route.path) for route in routes} == documented
    for route in routes:
        call = DATA_PLANE[route.path][route.method.lower()]
        assert (call.get("security") == []) == route.open


def test_no_path_belongs_to_both_planes(paths: dict[str, Any]) -> None:
    for path, calls in DATA_PLANE.items():
        assert set(paths[path]) == set(calls)


def test_every_call_says_what_it_does_and_how_it_fails(paths: dict[str, Any]) -> None:
    calls = [call for path in paths.values() for call in path.values()]

    assert len(calls) > 20
    for call in calls:
        assert call["summary"]
        form = "application/json" if "open inference protocol" in call["tags"] else "application/problem+json"
        assert form in call["responses"]["404"]["content"]
