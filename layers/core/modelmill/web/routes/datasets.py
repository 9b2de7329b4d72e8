"""`/v1/datasets`."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from modelmill.datasets import lifecycle
from modelmill.web.bodies import DatasetBody
from modelmill.web.control import ControlPlane, Cursor, Limit, form_of, no_content


def add(control: ControlPlane) -> None:
    """Add the routes."""
    http, services = control.http, control.services

    @http.post(
        "/v1/datasets", summary="Create a dataset and get a form to upload it with", tags=["datasets"], status_code=201
    )
    def create_dataset(body: DatasetBody) -> dict[str, Any]:
        key = control.demand("train")
        limits = services.limits.datasets, services.limits.upload_bytes
        new = lifecycle.NewDataset(**body.model_dump())
        dataset, upload = lifecycle.create(
            services.datasets, services.forms, key.tenant, new, limits, control.idempotency_key()
        )
        return lifecycle.describe(dataset) | form_of(upload)

    @http.get("/v1/datasets", summary="List datasets, newest first", tags=["datasets"])
    def list_datasets(limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
        page = services.datasets.page(control.demand("read").tenant, limit, cursor)
        return {"datasets": [lifecycle.describe(each) for each in page.items], "next_cursor": page.next_cursor}

    @http.get("/v1/datasets/<dataset_id>", summary="A dataset with its schema, or its problems", tags=["datasets"])
    def get_dataset(dataset_id: str) -> dict[str, Any]:
        tenant = control.demand("read").tenant
        dataset = lifecycle.find(services.datasets, tenant, dataset_id)
        if dataset.status != "ready" or dataset.sha256 is None:
            return lifecycle.describe(dataset)
        return lifecycle.describe(dataset, services.dataset_files.schema(tenant, dataset_id, dataset.sha256))

    @http.delete("/v1/datasets/<dataset_id>", summary="Delete a dataset's bytes", tags=["datasets"], status_code=204)
    def delete_dataset(dataset_id: str) -> Response[str]:
        tenant = control.demand("train").tenant
        lifecycle.delete(services.datasets, services.dataset_files, tenant, dataset_id)
        return no_content()
