"""Faults that the local AWS is told to have, so that tests can see what the platform makes of them."""

import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Failure:
    """An error that a service answers instead of doing its work."""

    code: str
    message: str
    status: int


class Faults:
    """What is to fail or to get lost. Set as a whole:

    `{"fail": [{"operation": "CreateTrainingJob", "code": "ResourceLimitExceeded", "times": 2}],
    "lose": ["s3", "sagemaker", "sqs"], "interrupt": ["modelmill-job-…-1"]}`: the next two calls fail; no event of
    those services is delivered; the machine of that spot job is taken away once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fail: dict[str, list[Failure]] = {}
        self._lose: frozenset[str] = frozenset()
        self._interrupt: list[str] = []

    def set(self, given: dict[str, Any]) -> None:
        """Replace all faults. Raises: KeyError, TypeError, ValueError where `given` has another form."""
        fail: dict[str, list[Failure]] = {}
        for entry in given.get("fail", []):
            failure = Failure(entry["code"], entry.get("message", entry["code"]), int(entry.get("status", 400)))
            fail.setdefault(entry["operation"], []).extend([failure] * int(entry.get("times", 1)))
        with self._lock:
            self._fail = fail
            self._lose = frozenset(given.get("lose", []))
            self._interrupt = list(given.get("interrupt", []))

    def next_failure(self, operation: str) -> Failure | None:
        """The error for this call, used up by asking."""
        with self._lock:
            waiting = self._fail.get(operation)
            return waiting.pop(0) if waiting else None

    def loses(self, service: str) -> bool:
        """Whether that service's events get lost."""
        return service in self._lose

    def interrupts(self, job: str) -> bool:
        """Whether that training job's machine is taken away, used up by asking."""
        with self._lock:
            if job not in self._interrupt:
                return False
            self._interrupt.remove(job)
            return True

    def describe(self) -> dict[str, Any]:
        """What is still to come."""
        with self._lock:
            fail = {operation: [failure.code for failure in left] for operation, left in self._fail.items() if left}
            return {"fail": fail, "lose": sorted(self._lose), "interrupt": list(self._interrupt)}
