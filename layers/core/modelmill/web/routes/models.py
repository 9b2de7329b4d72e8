"""`/v1/models`: versions, aliases, the ledger, the files of a bundle."""

import json
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from modelmill.errors import NotFound
from modelmill.models import promotion, registry, uploads
from modelmill.models.manifest import MANIFEST_FILE, REPORT_FILE, Manifest
from modelmill.web.bodies import AliasBody, RollbackBody, VersionBody
from modelmill.web.control import ControlPlane, Cursor, Limit, Services, form_of, no_content

LINK_SECONDS = 900

VersionNumber = Annotated[int, Path(ge=1, le=99_999_999)]


def add(control: ControlPlane) -> None:
    """Add the routes."""
    _add_models(control)
    _add_versions(control)
    _add_files(control)
    _add_aliases(control)


def _add_models(control: ControlPlane) -> None:
    http, services = control.http, control.services

    @http.get("/v1/models", summary="List models", tags=["models"])
    def list_models(limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
        page = services.registry.models(control.demand("read").tenant, limit, cursor)
        return {"models": [_model(services, each) for each in page.items], "next_cursor": page.next_cursor}

    @http.get("/v1/models/<model>", summary="A model and its aliases", tags=["models"])
    def get_model(model: str) -> dict[str, Any]:
        return _model(services, registry.find_model(services.registry, control.demand("read").tenant, model))

    @http.delete("/v1/models/<model>", summary="Delete a model and its versions", tags=["models"], status_code=204)
    def delete_model(model: str) -> Response[str]:
        registry.delete_model(services.registry, services.bundles, control.demand("admin").tenant, model)
        return no_content()


def _add_versions(control: ControlPlane) -> None:
    http, services = control.http, control.services

    @http.post(
        "/v1/models/<model>/versions",
        summary="Bring an ONNX model: a new version and a form to upload it with",
        tags=["models"],
        status_code=201,
    )
    def create_version(model: str, body: VersionBody) -> dict[str, Any]:
        key, limits = control.demand("train"), services.limits
        uploader = uploads.Uploader(
            key.tenant, key.key_id, limits.model_uploads, limits.model_bytes, control.idempotency_key()
        )
        new = uploads.NewUpload(model, **body.model_dump())
        version, upload = uploads.create(services.model_uploads, services.forms, uploader, new)
        return {"model": model, "version": version.version, "status": version.status} | form_of(upload)

    @http.get("/v1/models/<model>/versions", summary="List versions, newest first", tags=["models"])
    def list_versions(model: str, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
        tenant = control.demand("read").tenant
        registry.find_model(services.registry, tenant, model)
        page = services.registry.versions(tenant, model, limit, cursor)
        names = _names(services.registry.aliases(tenant, model))
        versions = [_version(each, names.get(each.version, [])) for each in page.items]
        return {"versions": versions, "next_cursor": page.next_cursor}

    @http.get("/v1/models/<model>/versions/<version>", summary="A version in full", tags=["models"])
    def get_version(model: str, version: VersionNumber) -> dict[str, Any]:
        tenant = control.demand("read").tenant
        found = registry.find_version(services.registry, tenant, model, version)
        names = _names(services.registry.aliases(tenant, model)).get(version, [])
        summary = _version(found, names)
        return summary | (_details(services.bundles.manifest(tenant, model, version)) if found.manifest_sha256 else {})

    @http.delete("/v1/models/<model>/versions/<version>", summary="Delete a version", tags=["models"], status_code=204)
    def delete_version(model: str, version: VersionNumber) -> Response[str]:
        tenant = control.demand("admin").tenant
        registry.delete_version(services.registry, services.bundles, tenant, model, version)
        return no_content()


def _add_files(control: ControlPlane) -> None:
    http, services = control.http, control.services

    @http.get("/v1/models/<model>/versions/<version>/files/<name>", summary="A link to a file", tags=["models"])
    def get_file(model: str, version: VersionNumber, name: str) -> dict[str, Any]:
        tenant = control.demand("read").tenant
        found = registry.find_version(services.registry, tenant, model, version)
        files = services.bundles.manifest(tenant, model, version).files if found.manifest_sha256 else {}
        names = [MANIFEST_FILE, *files] if files else []
        if name not in names:
            has = ", ".join(names) or "none, since it is " + found.status
            raise NotFound(f"version {version} of {model!r} has no file {name[:80]!r}; it has {has}")
        url = services.bundles.link(tenant, model, version, name, LINK_SECONDS)
        return {"url": url, "expires_in": LINK_SECONDS}

    @http.get("/v1/models/<model>/versions/<version>/report", summary="How good a version is", tags=["models"])
    def get_report(model: str, version: VersionNumber) -> dict[str, Any]:
        tenant = control.demand("read").tenant
        found = registry.find_version(services.registry, tenant, model, version)
        files = services.bundles.manifest(tenant, model, version).files if found.manifest_sha256 else {}
        if REPORT_FILE not in files:
            raise NotFound(f"version {version} of {model!r} has no report; training makes one, an upload has none")
        report: dict[str, Any] = json.loads(services.bundles.read(tenant, model, version, REPORT_FILE))
        links = {name: services.bundles.link(tenant, model, version, name, LINK_SECONDS) for name in report["pictures"]}
        return report | {"pictures": links, "expires_in": LINK_SECONDS}


def _add_aliases(control: ControlPlane) -> None:
    http, services = control.http, control.services

    @http.put("/v1/models/<model>/aliases/<alias>", summary="Point an alias at a version", tags=["models"])
    def put_alias(model: str, alias: str, body: AliasBody) -> dict[str, Any]:
        key = control.demand("admin")
        wanted = promotion.Promotion(alias, body.version, body.reason, key.key_id, body.expected_revision)
        return _moved(*promotion.promote(services.registry, key.tenant, model, wanted))

    @http.post("/v1/models/<model>/rollback", summary="Serve what was served before", tags=["models"])
    def rollback(model: str, body: RollbackBody) -> dict[str, Any]:
        key = control.demand("admin")
        return _moved(*promotion.rollback(services.registry, key.tenant, model, body.alias, key.key_id, body.reason))

    @http.get("/v1/models/<model>/ledger", summary="Every move of an alias, newest first", tags=["models"])
    def get_ledger(model: str, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
        tenant = control.demand("read").tenant
        registry.find_model(services.registry, tenant, model)
        page = services.registry.ledger(tenant, model, limit, cursor)
        fields = registry.LedgerEntry.__dataclass_fields__
        entries = [{name: getattr(entry, name) for name in fields} for entry in page.items]
        return {"entries": entries, "next_cursor": page.next_cursor}


def _model(services: Services, model: registry.Model) -> dict[str, Any]:
    aliases = services.registry.aliases(model.tenant, model.model)
    pointing = {
        each.alias: {"version": each.version, "revision": each.revision, "updated_at": each.updated_at}
        for each in aliases
    }
    return {
        "model": model.model,
        "created_at": model.created_at,
        "updated_at": model.updated_at,
        "latest_version": model.latest_version,
        "aliases": pointing,
    }


def _version(version: registry.ModelVersion, aliases: list[str]) -> dict[str, Any]:
    always = ("model", "version", "status", "task", "algorithm", "created_at", "bytes", "job_id", "metrics")
    described = {name: getattr(version, name) for name in always} | {"aliases": aliases}
    return described | ({"failure": version.failure} if version.failure else {})


def _details(manifest: Manifest) -> dict[str, Any]:
    names = (
        "target",
        "labels",
        "metrics",
        "parity",
        "split",
        "lineage",
        "libraries",
        "dropped",
        "leaderboard",
        "tuning",
        "optimization",
    )
    details: dict[str, Any] = {name: getattr(manifest, name) for name in (*names, "placement", "spec")}
    files = {name: {"sha256": file.sha256, "bytes": file.bytes} for name, file in manifest.files.items()}
    return details | {"signature": manifest.signature.to_dict(), "files": files}


def _names(aliases: list[registry.Alias]) -> dict[int, list[str]]:
    names: dict[int, list[str]] = {}
    for alias in aliases:
        names.setdefault(alias.version, []).append(alias.alias)
    return names


def _moved(alias: registry.Alias, previous: int | None) -> dict[str, Any]:
    return {
        "alias": alias.alias,
        "version": alias.version,
        "revision": alias.revision,
        "previous_version": previous,
    }
