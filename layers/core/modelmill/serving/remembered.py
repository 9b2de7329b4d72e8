"""Answers of the registry, kept for a few seconds."""

from collections.abc import Callable

# Alias moves must be seen within 5 seconds.
REMEMBERED_SECONDS = 4.0
CAPACITY = 4096


class Remembered[*Args, Value]:
    """`fetch` whose answers are reused for some seconds; errors are not kept."""

    def __init__(self, fetch: Callable[[*Args], Value]) -> None:
        self._fetch = fetch
        self._entries: dict[tuple[*Args], tuple[float, Value]] = {}

    def get(self, args: tuple[*Args], now: float) -> Value:
        """The answer for these arguments, at most REMEMBERED_SECONDS old at `now`, a moment of the wall clock.

        A frozen Lambda environment's monotonic clock may stand still.
        """
        entry = self._entries.get(args)
        if entry is not None and 0 <= now - entry[0] < REMEMBERED_SECONDS:
            return entry[1]
        value = self._fetch(*args)
        if len(self._entries) >= CAPACITY:
            self._entries.clear()
        # Stamped with the time before the fetch: the answer may be that old.
        self._entries[args] = (now, value)
        return value
