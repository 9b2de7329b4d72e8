"""Every error that this package raises on purpose.

ClientError
├── ConfigurationError    no address, no key, or an unreadable state folder
├── InvalidInput          what the caller gave cannot be read or sent
├── ConnectionFailed      the server cannot be reached, or the connection broke
├── UploadFailed          the storage refused the bytes of a file
├── LocalCloudFailed      `modelmill up`, run by a program, did not start
├── IntegrityError        a downloaded file is not what the manifest says
├── NotReady              a dataset, a job or a model version ended in a state other than the awaited one
├── WaitTimeout           it has not ended yet, and the caller's patience has
└── ApiError              the server answered with an error; the class follows the status
    ├── InvalidRequest    400, 415, 422
    ├── Unauthenticated   401
    ├── Forbidden         403
    ├── NotFound          404
    ├── Conflict          409
    ├── TooLarge          413
    ├── QuotaExceeded     429
    └── Unavailable       503
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class ClientError(Exception):
    """Base of all errors of this package."""


class ConfigurationError(ClientError):
    """The client does not know where to go or with which key."""


class InvalidInput(ClientError):
    """A file, a row or a value that the caller gave cannot be read or sent; nothing was asked of the server."""


class ConnectionFailed(ClientError):
    """No answer: refused, timed out, or broken off; `sent` says whether the server may have seen the request."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class UploadFailed(ClientError):
    """The storage behind the presigned form refused the file."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class LocalCloudFailed(ClientError):
    """`modelmill up`, run beside this program, ended or was not ready in time."""


class IntegrityError(ClientError):
    """The sha256 of a downloaded file differs from the one in the manifest."""


class NotReady(ClientError):
    """`resource` is the last answer of the server: a rejected dataset or model version, a failed or stopped job.

    `code` is the stable code of the cause, None where `resource` has no `failure`.
    """

    def __init__(self, message: str, *, resource: dict[str, Any]) -> None:
        super().__init__(message)
        self.resource = resource
        self.code: str | None = (resource.get("failure") or {}).get("code")


class WaitTimeout(ClientError):
    """Still under way after the time that the caller gave; `resource` is the last answer of the server."""

    def __init__(self, message: str, *, resource: dict[str, Any]) -> None:
        super().__init__(message)
        self.resource = resource


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request."""

    field: str
    message: str


class ApiError(ClientError):
    """An error answer of the server (RFC 9457 problem details).

    `code` is stable and meant for programs, `detail` for people; `request_id` finds the call in the server's log.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int,
        code: str,
        errors: tuple[FieldError, ...] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.code = code
        self.errors = errors
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        told = [error for error in self.errors if error.message not in self.detail]
        fields = "".join(f"; {error.field}: {error.message}" for error in told)
        reference = f", request {self.request_id}" if self.request_id else ""
        again = f"; try again in {_duration(self.retry_after)}" if self.retry_after else ""
        return f"{self.detail}{fields} ({self.status} {self.code}{reference}){again}"


class InvalidRequest(ApiError):
    """The request breaks a rule; `errors` names the fields."""


class Unauthenticated(ApiError):
    """No key, an unknown key or a revoked one."""


class Forbidden(ApiError):
    """The key lacks the scope."""


class NotFound(ApiError):
    """There is no such thing for this key."""


class Conflict(ApiError):
    """The resource is not in a state that allows this, or somebody else was faster."""


class TooLarge(ApiError):
    """The request, or the answer to it, is over a size limit."""


class QuotaExceeded(ApiError):
    """A limit of the tenant is reached."""


class Unavailable(ApiError):
    """Something that the server needs is down for the moment."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: InvalidRequest,
    422: InvalidRequest,
    429: QuotaExceeded,
    503: Unavailable,
}


def api_error(
    status: int, body: object, *, retry_after: float | None = None, request_id: str | None = None
) -> ApiError:
    """The error for an answer with this status; `body` is the decoded JSON, or the text where it was none."""
    problem: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    fallback = str(body).strip()[:300] if not problem and body else f"the server answered {status} without a reason"
    fields = problem.get("errors")
    return _BY_STATUS.get(status, ApiError)(
        str(problem.get("detail") or problem.get("title") or problem.get("message") or fallback),
        status=status,
        code=str(problem.get("code", "unknown")),
        errors=tuple(_field_error(item) for item in fields) if isinstance(fields, list) else (),
        request_id=problem.get("request_id") or request_id,
        retry_after=retry_after,
    )


def _field_error(item: object) -> FieldError:
    if isinstance(item, Mapping):
        return FieldError(str(item.get("field", "")), str(item.get("message", "")))
    return FieldError("", str(item))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
