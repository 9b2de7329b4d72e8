"""How often a call is tried, and how long to wait in between."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from modelmill_client.errors import ApiError, ClientError, ConnectionFailed, UploadFailed

_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_NOT_DONE = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a call is: tries in all, and the longest single pause in seconds."""

    attempts: int = 4
    first_delay: float = 0.25
    max_delay: float = 20.0
    sleep: Callable[[float], None] = field(default=time.sleep)

    def run[T](self, attempt: Callable[[], T], *, safe: bool) -> T:
        """What `attempt` returns, after as many tries as it needs; `safe` says that doing it twice does no harm."""
        pauses = delays(self.attempts - 1, self.first_delay, self.max_delay)
        while True:
            try:
                return attempt()
            except ClientError as error:
                pause = next(pauses, None) if may_repeat(error, safe=safe) else None
                wished = error.retry_after if isinstance(error, ApiError) else None
                if pause is None or (wished is not None and wished > self.max_delay):
                    raise
            self.sleep(pause if wished is None else wished)


def may_repeat(error: ClientError, *, safe: bool) -> bool:
    """Whether another try could help and would do no harm."""
    match error:
        case ConnectionFailed():
            return safe or not error.sent
        case ApiError(code="quota_exceeded", retry_after=None):
            # Unlike a throttled caller's: waiting does not empty it.
            return False
        case ApiError(code="deadline_exceeded"):
            # It would take as long again.
            return False
        case ApiError() | UploadFailed():
            return error.status in (_TRANSIENT if safe else _NOT_DONE)
        case _:
            return False


def delays(count: int, first: float, longest: float) -> Iterator[float]:
    """`count` pauses in seconds, doubling from `first` to at most `longest`, each cut by up to a quarter at random."""
    for attempt in range(count):
        yield min(first * 2**attempt, longest) * random.uniform(0.75, 1.0)


def parse_retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header (RFC 9110, section 10.2.3), which holds a number or a date."""
    if value is None:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
