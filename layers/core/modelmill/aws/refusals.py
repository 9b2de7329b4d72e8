"""What AWS says when it does not do what it was asked to, whoever carried the call there."""

from typing import Any

from modelmill.errors import Unavailable

RETRY_AFTER_SECONDS = 2

BUSY = frozenset(
    {
        "InternalError",
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)


class Refused(Exception):
    """A call that AWS understood and did not carry out; `code` is AWS's, `answer` what came with it."""

    def __init__(self, service: str, code: str, status: int, answer: dict[str, Any]) -> None:
        super().__init__(f"{service} answered {code} (HTTP status {status})")
        self.code = code
        self.answer = answer


def is_transient(code: str, status: int) -> bool:
    """Whether the same call may go through later."""
    return code in BUSY or status >= 500


def unreachable(service: str) -> Unavailable:
    """The error for a service that cannot be reached."""
    return Unavailable(f"{service} cannot be reached", retry_after=RETRY_AFTER_SECONDS)


def busy(service: str) -> Unavailable:
    """The error for a service that is busy or broken."""
    return Unavailable(f"{service} is busy", retry_after=RETRY_AFTER_SECONDS)
