"""`/v1/keys` and `/v1/usage`."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from modelmill.tenancy import keys, quotas
from modelmill.web.bodies import KeyBody
from modelmill.web.control import ControlPlane, Cursor, Limit, no_content


def add(control: ControlPlane) -> None:
    """Add the routes."""
    http, services = control.http, control.services

    @http.post("/v1/keys", summary="Make an API key; its secret is shown this once", tags=["keys"], status_code=201)
    def create_key(body: KeyBody) -> dict[str, Any]:
        tenant = control.demand("admin").tenant
        key, secret = keys.create_key(services.keys, tenant, body.name, tuple(body.scopes))
        return _describe(key) | {"key": secret}

    @http.get("/v1/keys", summary="List API keys", tags=["keys"])
    def list_keys(limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
        page = services.keys.page(control.demand("admin").tenant, limit, cursor)
        return {"keys": [_describe(key) for key in page.items], "next_cursor": page.next_cursor}

    @http.delete("/v1/keys/<key_id>", summary="Revoke an API key", tags=["keys"], status_code=204)
    def revoke_key(key_id: str) -> Response[str]:
        keys.revoke_key(services.keys, control.demand("admin").tenant, key_id)
        return no_content()

    @http.get("/v1/usage", summary="What this tenant uses, beside its limits", tags=["keys"])
    def get_usage() -> dict[str, Any]:
        tenant = control.demand("read").tenant
        used = quotas.report(services.usage.usage(tenant), services.limits)
        return used | {"compute": services.offer.to_dict()}


def _describe(key: keys.Key) -> dict[str, Any]:
    return {"key_id": key.key_id, "name": key.name, "scopes": list(key.scopes), "created_at": key.created_at}
