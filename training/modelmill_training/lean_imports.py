"""Leaving out what libraries load only to recognise it: pandas takes two seconds."""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec


class _Absent(MetaPathFinder):
    """Answers as if these distributions were not installed."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is left out of training jobs", name=fullname)
        return None


def leave_out(*names: str) -> None:
    """From now on, importing these fails as if they were not installed; their users all have a fallback."""
    sys.meta_path.insert(0, _Absent(frozenset(names)))
