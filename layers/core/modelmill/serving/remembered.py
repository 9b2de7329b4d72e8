"""Answers of the registry, kept for a few seconds."""

import time
from collections.abc import Callable

# Key revocations and alias moves must be seen within 5 seconds.
REMEMBERED_SECONDS = 4.0
CAPACITY = 4096


class Remembered[*Args, Value]:
    """`fetch` whose answers are reused for `seconds`; errors are not kept.

    The clock is the wall clock: a frozen Lambda environment's monotonic clock may stand still.
    """

    def __init__(
        self,
        fetch: Callable[[*Args], Value],
        seconds: float = REMEMBERED_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._seconds = seconds
        self._clock = clock
        self._entries: dict[tuple[*Args], tuple[float, Value]] = {}

    def __call__(self, *args: *Args) -> Value:
        """The answer for these arguments, at most `seconds` old."""
        entry = self._entries.get(args)
        now = self._clock()
        if entry is not None and 0 <= now - entry[0] < self._seconds:
            return entry[1]
        value = self._fetch(*args)
        if len(self._entries) >= CAPACITY:
            self._entries.clear()
        # Stamped with the time before the fetch: the answer may be that old.
        self._entries[args] = (now, value)
        return value
