"""Errors as RFC 9457 problem details."""

from typing import Any

from modelmill.errors import ModelmillError

PROBLEM_TYPE = "application/problem+json"


def problem(error: ModelmillError, request_id: str) -> dict[str, Any]:
    """The body of an error answer (https://www.rfc-editor.org/rfc/rfc9457)."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
    }
    if error.errors:
        body["errors"] = [{"field": each.field, "message": each.message} for each in error.errors]
    return body


def problem_headers(error: ModelmillError) -> dict[str, str]:
    """The headers of an error answer."""
    headers = {"content-type": PROBLEM_TYPE}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return headers
