"""What a model costs: measured once, by the process that tries it."""

import ctypes
import time
from collections.abc import Callable
from statistics import median
from typing import Any

MOST_RUNS = 20
MOST_SECONDS = 0.5

_STATUS = "/proc/self/statm"
_PAGE = 4096


def resident_bytes() -> int:
    """The memory of this process, what was freed given back."""
    ctypes.CDLL(None).malloc_trim(0)
    with open(_STATUS) as status:  # noqa: PTH123 no file that Path is for
        return int(status.read().split()[1]) * _PAGE


def latency_us(run: Callable[[], Any]) -> int:
    """The median of a few runs."""
    times: list[float] = []
    while len(times) < MOST_RUNS and sum(times) < MOST_SECONDS:
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return round(median(times) * 1e6)
