"""A limited time."""

import time

from modelmill_training.failures import TrainingFailure


class OutOfTime(TrainingFailure):
    """The time is up, or the rest of it would not suffice."""

    def __init__(self, message: str) -> None:
        super().__init__("out_of_time", message)


class Clock:
    """What is left of so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; negative when it is used up."""
        return self._end - time.monotonic()

    def require(self, seconds: float, what: str) -> None:
        """Nothing, when that much is left.

        Raises:
            OutOfTime: it is not.
        """
        if seconds > self.left:
            raise OutOfTime(f"not finished: {what} would take about {seconds:.0f} s, {max(0.0, self.left):.0f} s left")
