"""What AWS answers when it is down or busy, turned into `Unavailable`; everything else passes through."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UnreachableError

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


def is_busy(error: ClientError) -> bool:
    """Whether the same call may go through later."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error.response["Error"]["Code"] in BUSY or status >= 500


@contextmanager
def translated(service: str) -> Iterator[None]:
    """Raise `Unavailable` where `service` is out of reach, busy or broken."""
    try:
        yield
    except (UnreachableError, HTTPClientError) as error:
        raise Unavailable(f"{service} cannot be reached", retry_after=RETRY_AFTER_SECONDS) from error
    except ClientError as error:
        if is_busy(error):
            raise Unavailable(f"{service} is busy", retry_after=RETRY_AFTER_SECONDS) from error
        raise
