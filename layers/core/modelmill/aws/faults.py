"""What boto3 raises when AWS is down or busy, turned into `Unavailable`; everything else passes through."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UnreachableError

from modelmill.aws.refusals import busy, is_transient, unreachable


def is_busy(error: ClientError) -> bool:
    """Whether the same call may go through later."""
    return is_transient(error.response["Error"]["Code"], status_of(error))


def status_of(error: ClientError) -> int:
    """The HTTP status of AWS's answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def translated(service: str) -> Iterator[None]:
    """Raise `Unavailable` where `service` is out of reach, busy or broken."""
    try:
        yield
    except (UnreachableError, HTTPClientError) as error:
        raise unreachable(service) from error
    except ClientError as error:
        if is_busy(error):
            raise busy(service) from error
        raise
