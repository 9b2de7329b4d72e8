"""Files that hold a fit as it was after an epoch, so that a job that was ended goes on from there.

A file is one line of JSON, the arrays' bytes one after the other, and the SHA-256 of all that. It appears under its
name in one step, and what is damaged all the same is not taken for whole.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill_training.progress import Progress

SUFFIX = ".checkpoint"

# Of its time, what a fit spends on keeping its state: the epochs of a small net take milliseconds.
LARGEST_SHARE = 0.05

Arrays = list[NDArray[Any]]


class Damaged(Exception):
    """The file is not a whole checkpoint."""


def fingerprint(identity: Mapping[str, Any], arrays: Iterable[NDArray[Any]]) -> str:
    """What tells a fit from every other: 32 digits of what it is asked for and of all values that it learns from."""
    total = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode())
    for array in arrays:
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array))
    return total.hexdigest()[:32]


def write(path: Path, facts: Mapping[str, Any], arrays: Arrays) -> None:
    """Put a checkpoint in place of what lies there, if anything."""
    forms = [{"dtype": array.dtype.str, "shape": array.shape} for array in arrays]
    total = hashlib.sha256()
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        for piece in (json.dumps({**facts, "arrays": forms}).encode() + b"\n", *(each.tobytes() for each in arrays)):
            total.update(piece)
            file.write(piece)
        file.write(total.digest())
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Facts and arrays, as they were written.

    Raises:
        Damaged: they are not.
        FileNotFoundError: there is none.
    """
    content = path.read_bytes()
    body, digest = content[: -hashlib.sha256().digest_size], content[-hashlib.sha256().digest_size :]
    if hashlib.sha256(body).digest() != digest:
        raise Damaged(f"{path.name} is damaged")
    line, _, values = body.partition(b"\n")
    facts = json.loads(line)
    arrays, place = [], 0
    for form in facts.pop("arrays"):
        array = np.frombuffer(values, form["dtype"], int(np.prod(form["shape"])), place).reshape(form["shape"])
        place += array.nbytes
        arrays.append(array)
    return facts, arrays


class Keeper:
    """Where one fit, or what leads to it, keeps its state.

    Nothing is kept where the job has no folder for it, nor by machines but the chief.
    """

    def __init__(self, progress: Progress, identity: Mapping[str, Any], arrays: Iterable[NDArray[Any]]) -> None:
        folder = progress.checkpoints
        self._progress = progress
        self._path = folder / (fingerprint(identity, arrays) + SUFFIX) if folder else None
        self._writes = progress.chief
        self._next = 0.0

    def found(self) -> tuple[dict[str, Any], Arrays] | None:
        """What an earlier run of the job has kept of this fit."""
        if self._path is None:
            return None
        try:
            return read(self._path)
        except FileNotFoundError:
            return None
        except Damaged as damaged:
            self._progress.log(f"warning: checkpoint {damaged}; it is ignored and the fit begins anew")
            return None

    def due(self) -> bool:
        """Whether enough time has passed since the state was kept last."""
        return self._path is not None and self._writes and time.monotonic() >= self._next

    def keep(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        """Keep the state in place of an earlier one."""
        if self._path is None or not self._writes:
            return
        started = time.monotonic()
        write(self._path, facts, arrays)
        ended = time.monotonic()
        self._next = ended + (ended - started) * (1 / LARGEST_SHARE - 1)
