"""Python client of modelmill.

`Client` has everything that the HTTP API offers; the errors are in one tree below `ClientError`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelmill_client.client import Client
    from modelmill_client.errors import (
        ApiError,
        ClientError,
        ConfigurationError,
        Conflict,
        ConnectionFailed,
        FieldError,
        Forbidden,
        IntegrityError,
        InvalidInput,
        InvalidRequest,
        LocalCloudFailed,
        NotFound,
        NotReady,
        QuotaExceeded,
        TooLarge,
        Unauthenticated,
        Unavailable,
        UploadFailed,
        WaitTimeout,
    )
    from modelmill_client.retrying import RetryPolicy

__all__ = [
    "ApiError",
    "Client",
    "ClientError",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "FieldError",
    "Forbidden",
    "IntegrityError",
    "InvalidInput",
    "InvalidRequest",
    "LocalCloudFailed",
    "NotFound",
    "NotReady",
    "QuotaExceeded",
    "RetryPolicy",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "UploadFailed",
    "WaitTimeout",
]

_HOMES = {"Client": "modelmill_client.client", "RetryPolicy": "modelmill_client.retrying"}


def __getattr__(name: str) -> Any:
    # On demand, so that `modelmill --help` does not wait for httpx.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "modelmill_client.errors")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
