"""The Open Inference Protocol's calls in OpenAPI's words."""

from typing import Any

_ERROR: dict[str, Any] = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_TENSOR: dict[str, Any] = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"type": "string"},
        "parameters": {"type": "object"},
        "data": {"type": "array", "items": {}},
    },
}
_REQUEST: dict[str, Any] = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "inputs": {"type": "array", "minItems": 1, "items": _TENSOR},
        "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
    },
}
_INDEX: dict[str, Any] = {"type": "object", "properties": {"ready": {"type": "boolean", "default": False}}}

_FAILURES = {
    400: "The request cannot be read, or breaks a rule",
    401: "No key, an unknown key or a revoked one",
    403: "The key lacks the scope",
    404: "Unknown, or another tenant's",
    413: "Too large",
    429: "A limit of the tenant is reached",
    503: "A dependency is down; try again after Retry-After seconds",
}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _call(path: str, summary: str, body: dict[str, Any] | None = None, *, needs_key: bool = True) -> dict[str, Any]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    call: dict[str, Any] = {
        "summary": summary,
        "operationId": "_".join(part.strip("{}") for part in path.split("/") if part),
        "tags": ["open inference protocol"],
        "responses": {
            200: {"description": "As the protocol says", **_json({"type": "object"})},
            **{status: {"description": text, **_json(_ERROR)} for status, text in _FAILURES.items()},
        },
    }
    if names:
        call["parameters"] = [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names]
    if body is not None:
        call["requestBody"] = _json(body)
    if not needs_key:
        call["security"] = []
    return call


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {
        "/v2": {"get": _call("/v2", "What this server is", needs_key=False)},
        "/v2/health/live": {"get": _call("/v2/health/live", "Whether it lives", needs_key=False)},
        "/v2/health/ready": {"get": _call("/v2/health/ready", "Whether it is ready", needs_key=False)},
        "/v2/models": {"get": _call("/v2/models", "The names of all models")},
        "/v2/repository/index": {"post": _call("/v2/repository/index", "All versions of all models", _INDEX)},
    }
    for model in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        infer, ready = f"{model}/infer", f"{model}/ready"
        paths[model] = {"get": _call(model, "The tensors of a model")}
        paths[ready] = {"get": _call(ready, "Whether a model is loaded and verified; loads it")}
        paths[infer] = {"post": _call(infer, "Run a model on tensors, in JSON or binary", _REQUEST)}
    return paths


OPEN_INFERENCE: dict[str, Any] = _paths()
