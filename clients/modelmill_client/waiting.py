"""Watching a dataset, a job or a model version until it has come to an end."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from modelmill_client.errors import NotReady, WaitTimeout
from modelmill_client.transport import Json


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def snapshots(
    fetch: Callable[[], Json], ended: frozenset[str], *, timeout: float | None, what: str, clock: Clock | None = None
) -> Iterator[Json]:
    """Each answer of `fetch` that differs from the one before, up to the first whose status is in `ended`.

    Raises:
        WaitTimeout: `timeout` seconds have passed before that.
    """
    clock = clock or Clock()
    deadline = None if timeout is None else clock.now() + timeout
    last: Json | None = None
    for pause in polling():
        current = fetch()
        if current != last:
            yield current
        if current["status"] in ended:
            return
        last = current
        if deadline is not None and clock.now() + pause > deadline:
            raise WaitTimeout(f"{what} is still {current['status']} after {timeout:g} s", resource=current)
        clock.sleep(pause)


def ended_as(wanted: str, resource: Json, problem: str) -> Json:
    """The resource itself, whose status must be the wanted one.

    Raises:
        NotReady: it ended in another way; the message is `problem`, and the cause that the server gave.
    """
    if resource["status"] == wanted:
        return resource
    failure = resource.get("failure") or {}
    cause = ": ".join(str(failure[part]) for part in ("code", "message") if failure.get(part))
    raise NotReady(problem + (f": {cause}" if cause else ""), resource=resource)


def polling(first: float = 0.2, longest: float = 1.5) -> Iterator[float]:
    """Endless pauses in seconds for watching something: short at first, `longest` in the end."""
    pause = first
    while True:
        yield pause
        pause = min(pause * 1.3, longest)
