"""One OpenAPI document for both planes: the control plane's routes describe themselves, the data plane's are here."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.models import APIKey, APIKeyIn, HTTPBearer, OpenAPI, PathItem

from modelmill.web.open_inference_document import OPEN_INFERENCE

TITLE = "modelmill"
DESCRIPTION = (
    "Upload data, get a trained, evaluated, versioned model behind HTTP. "
    "Errors are RFC 9457 problem details with a stable `code`. Lists take `limit` and `cursor`. "
    "Creating calls take an `Idempotency-Key` header."
)

SECURITY_SCHEMES: dict[str, Any] = {
    "ApiKey": APIKey.model_validate({"name": "x-api-key", "in": APIKeyIn.header}),
    "Bearer": HTTPBearer(),
}

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}

_INSTANCE: dict[str, Any] = {
    "oneOf": [
        {"type": "object", "description": "values by column name, in any order", "additionalProperties": True},
        {"type": "array", "description": "values in the order of the signature", "items": {}},
        {"description": "the bare value of an uploaded model's only input"},
    ]
}

_PREDICTION: dict[str, Any] = {
    "oneOf": [
        {
            "type": "object",
            "required": ["label", "probabilities"],
            "properties": {
                "label": {"type": ["string", "null"]},
                "probabilities": {"type": "object", "additionalProperties": {"type": "number"}},
            },
        },
        {"type": "object", "required": ["value"], "properties": {"value": {"type": "number"}}},
        {
            "type": "object",
            "description": "of time series; a value for each step ahead",
            "required": ["times", "lower", "upper", "values"],
            "properties": {
                "times": {"type": "array", "items": {"type": "string", "format": "date-time"}},
                **{name: {"type": "array", "items": {"type": "number"}} for name in ("lower", "upper", "values")},
            },
        },
        {"type": "object", "description": "outputs of an uploaded model by name", "additionalProperties": True},
    ]
}

_PROBLEMS: dict[int, Any] = {
    status: {"description": description, "content": {"application/problem+json": {"schema": _PROBLEM}}}
    for status, description in {
        400: "The body cannot be read",
        401: "No key, an unknown key or a revoked one",
        403: "The key lacks the scope",
        404: "Unknown, or another tenant's",
        409: "Not in a state that allows this",
        413: "Too large",
        422: "The request breaks a rule; `errors` names the fields",
        429: "A limit of the tenant is reached",
        503: "A dependency is down; try again after Retry-After seconds",
    }.items()
}

DATA_PLANE: dict[str, Any] = {
    "/v1/models/{model}/predict": {
        "post": {
            "summary": "Predict",
            "operationId": "predict",
            "tags": ["predictions"],
            "parameters": [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["instances"],
                            "additionalProperties": False,
                            "properties": {
                                "instances": {"type": "array", "minItems": 1, "items": _INSTANCE},
                                "version": {"type": "integer", "minimum": 1},
                                "alias": {"type": "string", "default": "live"},
                                "top_k": {"type": "integer", "minimum": 1},
                                "thresholds": {"type": "object", "additionalProperties": {"type": "number"}},
                            },
                        }
                    }
                },
            },
            "responses": {
                200: {
                    "description": "One prediction per instance, in order",
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["predictions", "model", "version"],
                                "properties": {
                                    "predictions": {"type": "array", "items": _PREDICTION},
                                    "model": {"type": "string"},
                                    "version": {"type": "integer"},
                                },
                            }
                        }
                    },
                },
                **_PROBLEMS,
            },
        }
    },
    **OPEN_INFERENCE,
}


class DocumentedResolver(APIGatewayHttpResolver):
    """A resolver whose document covers the data plane too."""

    def get_openapi_schema(self, **options: Any) -> OpenAPI:
        """The document; every call may answer with a problem."""
        document = super().get_openapi_schema(**options)
        described = document.paths or {}
        for path in described.values():
            _answer_with_problems(path)
        paths = described | {name: PathItem.model_validate(item) for name, item in DATA_PLANE.items()}
        document.paths = dict(sorted(paths.items()))
        return document


def _answer_with_problems(path: Any) -> None:
    for method in ("get", "put", "post", "delete"):
        if operation := getattr(path, method, None):
            operation.responses = (operation.responses or {}) | _PROBLEMS
