"""Every error modelmill raises on purpose, with the HTTP status and the stable code that clients see.

ModelmillError                    500  internal
├── MalformedRequest              400  malformed_request
├── Unauthenticated               401  unauthenticated
├── Forbidden                     403  forbidden
├── NotFound                      404  not_found
├── Conflict                      409  conflict
├── TooLarge                      413  too_large
├── UnsupportedMediaType          415  unsupported_media_type
├── InvalidRequest                422  invalid_request
│   ├── InvalidName               422  invalid_name
│   ├── IdempotencyMismatch       422  idempotency_mismatch
│   ├── SignatureMismatch         422  signature_mismatch
│   └── Untrainable               422  untrainable
├── QuotaExceeded                 429  quota_exceeded
└── Unavailable                   503  unavailable
"""

from typing import NamedTuple


class FieldError(NamedTuple):
    """What is wrong with one field of a request; `field` is a dotted path into the body."""

    field: str
    message: str


class ModelmillError(Exception):
    """Base of all errors that may be told to a client: `detail` never holds a path, an ARN or a foreign id."""

    status = 500
    code = "internal"
    title = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: tuple[FieldError, ...] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after
        if code is not None:
            self.code = code


class MalformedRequest(ModelmillError):
    """The body cannot be read at all: empty, not JSON, not the declared length."""

    status, code, title = 400, "malformed_request", "Malformed request"


class Unauthenticated(ModelmillError):
    """No key, an unknown key or a revoked one."""

    status, code, title = 401, "unauthenticated", "Unauthenticated"


class Forbidden(ModelmillError):
    """The key is good but lacks the scope."""

    status, code, title = 403, "forbidden", "Forbidden"


class NotFound(ModelmillError):
    """Unknown, or another tenant's: the two look the same."""

    status, code, title = 404, "not_found", "Not found"


class Conflict(ModelmillError):
    """The resource is not in a state that allows this, or somebody else was faster."""

    status, code, title = 409, "conflict", "Conflict"


class TooLarge(ModelmillError):
    """A request, or the answer to it, is over a size limit."""

    status, code, title = 413, "too_large", "Too large"


class UnsupportedMediaType(ModelmillError):
    """The body has a content type that this route does not read."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class InvalidRequest(ModelmillError):
    """The body can be read but breaks a rule; `errors` names the fields."""

    status, code, title = 422, "invalid_request", "Invalid request"


class InvalidName(InvalidRequest):
    """A name outside `ids.NAME_PATTERN`."""

    code, title = "invalid_name", "Invalid name"


class IdempotencyMismatch(InvalidRequest):
    """An Idempotency-Key came back with another body."""

    code, title = "idempotency_mismatch", "Idempotency key reused"


class SignatureMismatch(InvalidRequest):
    """Instances that do not fit the model's signature."""

    code, title = "signature_mismatch", "Signature mismatch"


class Untrainable(InvalidRequest):
    """Data on which no useful model can be trained, seen before anything is started."""

    code, title = "untrainable", "Untrainable"


class QuotaExceeded(ModelmillError):
    """A limit of the tenant is reached."""

    status, code, title = 429, "quota_exceeded", "Quota exceeded"


class Unavailable(ModelmillError):
    """Something that this needs is down for the moment; `retry_after` is in seconds."""

    status, code, title = 503, "unavailable", "Unavailable"
