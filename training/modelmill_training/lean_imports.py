"""Leaving out what libraries load only to recognise it: pandas takes two seconds."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec


class _Absent(MetaPathFinder):
    """Answers as if these distributions were not installed."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname in self.names:
            raise ModuleNotFoundError(f"{fullname} is left out of training jobs", name=fullname)
        return None


def leave_out(*names: str) -> None:
    """From now on, importing these fails as if they were not installed; their users all have a fallback."""
    sys.meta_path.insert(0, _Absent(frozenset(names)))


@contextmanager
def imported_whole(name: str) -> Iterator[None]:
    """For libraries that have no fallback: within it, what was left out can be imported."""
    finders = [finder for finder in sys.meta_path if isinstance(finder, _Absent) and name in finder.names]
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder not in finders]
    try:
        yield
    finally:
        sys.meta_path[:0] = finders
