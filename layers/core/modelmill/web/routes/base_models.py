"""`/v1/base-models`."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from modelmill.base_models import lifecycle
from modelmill.web.bodies import BaseModelBody
from modelmill.web.control import ControlPlane, Cursor, Limit, form_of, no_content


def add(control: ControlPlane) -> None:
    """Add the routes."""
    http, services = control.http, control.services

    @http.post(
        "/v1/base-models",
        summary="Create a base model and get a form to upload its Hugging Face folder with, as a zip archive",
        tags=["base models"],
        status_code=201,
    )
    def create_base_model(body: BaseModelBody) -> dict[str, Any]:
        tenant = control.demand("train").tenant
        limits = services.limits.base_models, services.limits.base_model_bytes
        base_model, upload = lifecycle.create(
            services.base_models, services.forms, tenant, body.name, limits, control.idempotency_key()
        )
        return lifecycle.describe(base_model) | form_of(upload)

    @http.get("/v1/base-models", summary="List base models, newest first", tags=["base models"])
    def list_base_models(limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
        page = services.base_models.page(control.demand("read").tenant, limit, cursor)
        return {"base_models": [lifecycle.describe(each) for each in page.items], "next_cursor": page.next_cursor}

    @http.get(
        "/v1/base-models/<base_model_id>",
        summary="A base model with its architecture, or its problems",
        tags=["base models"],
    )
    def get_base_model(base_model_id: str) -> dict[str, Any]:
        return lifecycle.describe(lifecycle.find(services.base_models, control.demand("read").tenant, base_model_id))

    @http.delete(
        "/v1/base-models/<base_model_id>", summary="Delete a base model's bytes", tags=["base models"], status_code=204
    )
    def delete_base_model(base_model_id: str) -> Response[str]:
        tenant = control.demand("train").tenant
        lifecycle.delete(services.base_models, services.base_model_files, tenant, base_model_id)
        return no_content()
