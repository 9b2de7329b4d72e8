"""`/health`, `/openapi.json` and `/docs`: the calls that need no key."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from modelmill.web.control import ControlPlane
from modelmill.web.openapi import DESCRIPTION, SECURITY_SCHEMES, TITLE


def add(control: ControlPlane) -> None:
    """Add the routes."""
    http = control.http

    @http.get("/health", summary="Whether the service answers", tags=["service"], security=[])
    def get_health() -> dict[str, Any]:
        return {"status": "ok"}

    @http.get("/openapi.json", summary="This document", tags=["service"], security=[])
    def get_openapi() -> Response[str]:
        return Response(200, "application/json", document(control))

    http.enable_swagger(
        path="/docs",
        title=TITLE,
        version="v1",
        description=DESCRIPTION,
        security_schemes=SECURITY_SCHEMES,
        security=[{"ApiKey": []}, {"Bearer": []}],
        persist_authorization=True,
    )


def document(control: ControlPlane) -> str:
    """The OpenAPI document, as JSON."""
    return control.http.get_openapi_json_schema(
        title=TITLE,
        version="v1",
        description=DESCRIPTION,
        security_schemes=SECURITY_SCHEMES,
        security=[{"ApiKey": []}, {"Bearer": []}],
    )
