"""One resident thread that terminates a run past its deadline."""

import threading
import time

import onnxruntime as ort

TICK_SECONDS = 0.1


class Watchdog:
    """Looks at the run under way every tenth of a second; a request pays two assignments for it.

    One run at a time: the owner serves one request at a time.
    """

    def __init__(self, tick: float = TICK_SECONDS) -> None:
        self._tick = tick
        self._watched: tuple[float, ort.RunOptions] | None = None
        self._thread: threading.Thread | None = None

    def watch(self, deadline: float) -> ort.RunOptions:
        """Options for one run, which terminates once `time.monotonic()` passes `deadline`.

        Each run has its own options: a late look at an old run cannot terminate the next one.
        """
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
            self._thread.start()
        options = ort.RunOptions()
        self._watched = (deadline, options)
        return options

    def release(self) -> None:
        """The run is over."""
        self._watched = None

    def _look(self) -> None:
        while True:
            time.sleep(self._tick)
            watched = self._watched
            if watched is not None and time.monotonic() > watched[0]:
                watched[1].terminate = True
