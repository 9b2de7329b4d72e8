"""Keeping a lease alive while its work goes on, so that leases can be short and a crash is noticed soon."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from modelmill.errors import Unavailable

SECONDS = 45
RENEW_EVERY_SECONDS = 15


@contextmanager
def kept(renew: Callable[[], None]) -> Iterator[None]:
    """Call `renew` every 15 seconds until the block ends; a renewal that fails is tried again at the next turn."""
    done = Event()

    def keep() -> None:
        while not done.wait(RENEW_EVERY_SECONDS):
            try:
                renew()
            except Unavailable:
                continue

    thread = Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
