"""The stack's functions: a small pool of execution environments for each, as Lambda keeps them."""

import logging
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path

from modelmill_local.instance import FunctionSpec, Instance, Outcome
from modelmill_local.template import CODE_BUCKET, Stack

log = logging.getLogger(__name__)

_LARGEST_EVENT = 6_291_556
_POOL = 4


class EventTooLargeError(Exception):
    """The event is over Lambda's 6 MB for a synchronous call."""


class StoppedError(Exception):
    """The local cloud is going down."""


class Function:
    """A function that can be invoked by several threads at once."""

    def __init__(self, spec: FunctionSpec, log_file: Path, most: int = _POOL) -> None:
        self.spec = spec
        self._log_file = log_file
        self._idle: list[Instance] = []
        self._all: set[Instance] = set()
        self._lock = threading.Lock()
        self._warmed = threading.Condition(self._lock)
        self._warming = False
        self._room = threading.BoundedSemaphore(most)
        self._closed = False

    def invoke(self, event: bytes) -> Outcome:
        """Run the function on one event, waiting for a free environment.

        Raises: EventTooLargeError, StoppedError.
        """
        if len(event) > _LARGEST_EVENT:
            raise EventTooLargeError(f"{len(event)} bytes exceeded the maximum of {_LARGEST_EVENT} bytes")
        request_id = str(uuid.uuid4())
        with self._room:
            instance = self._take()
            try:
                outcome = instance.invoke(event, request_id)
            finally:
                self._put_back(instance)
        if outcome.failed and not self._closed:
            self._note(f"{request_id} {outcome.payload.decode('utf-8', 'replace')}")
        return outcome

    def prewarm(self) -> None:
        """Import the function ahead of its first event, which then waits instead of doing the same."""
        with self._room:
            instance = self._take()
            self._warming = True
            try:
                failed = instance.warm_up()
            finally:
                self._warming = False
                self._put_back(instance)
        if failed and not self._closed:
            self._note(failed.payload.decode("utf-8", "replace"))
            log.error("%s cannot start: %s", self.spec.name, failed.payload.decode("utf-8", "replace"))

    def close(self) -> None:
        """End every environment, in the middle of an invocation too."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = self._all - set(idle)
        for instance in busy:
            instance.interrupt()
        for instance in idle:
            instance.close()

    def _take(self) -> Instance:
        with self._lock:
            while self._warming and not self._idle:
                self._warmed.wait()
            while self._idle:
                instance = self._idle.pop()
                if instance.alive:
                    return instance
                instance.close()
                self._all.discard(instance)
            if self._closed:
                raise StoppedError(f"{self.spec.name} has been stopped")
            instance = Instance(self.spec, self._log_file)
            self._all.add(instance)
            return instance

    def _put_back(self, instance: Instance) -> None:
        with self._lock:
            if instance.alive and not self._closed:
                self._idle.append(instance)
            else:
                instance.close()
                self._all.discard(instance)
            self._warmed.notify_all()

    def _note(self, line: str) -> None:
        with self._log_file.open("a", encoding="utf-8") as output:
            output.write(f"{line}\n")


def from_stack(stack: Stack, root: Path, logs: Path, extra: Mapping[str, str]) -> dict[str, Function]:
    """The stack's functions by logical id; `extra` overrides the template's environment."""
    logs.mkdir(parents=True, exist_ok=True)
    made: dict[str, Function] = {}
    for resource in stack.of_type("AWS::Lambda::Function"):
        given = resource.properties
        code = given["Code"]
        if code.get("S3Bucket") != CODE_BUCKET:
            raise ValueError(f"{resource.logical_id} has no local code folder")
        variables = given.get("Environment", {}).get("Variables", {})
        spec = FunctionSpec(
            name=resource.name,
            handler=given["Handler"],
            folder=(root / code["S3Key"]).resolve(),
            timeout=float(given.get("Timeout", 3)),
            memory=int(given.get("MemorySize", 128)),
            environment={**{key: str(value) for key, value in variables.items()}, **extra},
        )
        made[resource.logical_id] = Function(spec, logs / f"{Path(code['S3Key']).name}.log")
    return made
