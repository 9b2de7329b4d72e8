"""Which rows are trained on, which choose, which are held out; rows that repeat stay on one side."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelmill_training.data import Categories, Integers, Values

TEST_SHARE = 0.15
VALIDATION_SHARE = 0.15
PARTS = ("train", "validation", "test")

# Below this many distinct rows, moving repeats together leaves parts that say nothing.
MIN_DISTINCT_ROWS = 20

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Split:
    """Row indexes of each part, ascending."""

    train: Integers
    validation: Integers
    test: Integers
    seed: int
    stratified: bool
    repeats_together: bool
    duplicate_rows: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the sizes, and how the rows were dealt."""
        return {
            "train": len(self.train),
            "validation": len(self.validation),
            "test": len(self.test),
            "seed": self.seed,
            "stratified": self.stratified,
            "repeats_together": self.repeats_together,
            "duplicate_rows": self.duplicate_rows,
        }

    def parts(self) -> NDArray[np.int8]:
        """Per row the index into PARTS."""
        result = np.zeros(len(self.train) + len(self.validation) + len(self.test), dtype=np.int8)
        result[self.validation] = 1
        result[self.test] = 2
        return result


def split_rows(identity: Hashes, classes: Integers | None, seed: int) -> Split:
    """Deal rows into about 70 % training, 15 % validation and 15 % test.

    Args:
        identity: [N] equal for rows that repeat each other.
        classes: [N] to keep in proportion, or None.
        seed: the same one deals the same rows alike.
    """
    _, first, group = np.unique(identity, return_index=True, return_inverse=True)
    duplicates = len(identity) - len(first)
    together = len(first) >= min(MIN_DISTINCT_ROWS, len(identity) / 2)
    if not together:
        first = group = np.arange(len(identity))
    strata = np.zeros(len(first), dtype=np.int64) if classes is None else classes[first]
    sizes = np.bincount(group)
    order = np.random.default_rng(seed).permutation(len(first))
    part_of_group = np.zeros(len(first), dtype=np.int8)
    for stratum in np.unique(strata):
        members = order[strata[order] == stratum]
        part_of_group[members] = _deal(sizes[members])
    if classes is not None:
        _fill_empty_parts(part_of_group, strata, order)
    part = part_of_group[group]
    train, validation, test = (np.flatnonzero(part == number) for number in range(len(PARTS)))
    return Split(train, validation, test, seed, classes is not None, together, duplicates)


def _deal(sizes: Integers) -> NDArray[np.int8]:
    """The part of each group: test first, then validation, the rest and groups larger than a part for training."""
    total = int(sizes.sum())
    parts = np.zeros(len(sizes), dtype=np.int8)
    if len(sizes) < 2:
        return parts
    for part, share in ((2, TEST_SHARE), (1, VALIDATION_SHARE)):
        quota = max(1, round(share * total))
        open_groups = np.flatnonzero((parts == 0) & (sizes <= max(quota, int(sizes.min()))))
        taken = open_groups[np.cumsum(sizes[open_groups]) <= quota]
        left = int(np.count_nonzero(parts == 0))
        if len(taken) == 0 and left > 1:
            taken = open_groups[:1]
        parts[taken[: left - 1]] = part
    return parts


def _fill_empty_parts(parts: NDArray[np.int8], strata: Integers, order: Integers) -> None:
    """With classes of two or three rows a part may come out empty: move a row of the largest class there."""
    for part in (2, 1):
        if np.any(parts == part):
            continue
        donors = order[parts[order] == 0]
        counts = np.bincount(strata[donors], minlength=int(strata.max()) + 1)
        if counts.max() > 1:
            parts[donors[strata[donors] == counts.argmax()][0]] = part


def sample(rows: Integers, limit: int, seed: int) -> Integers:
    """At most `limit` of the rows, ascending."""
    if len(rows) <= limit:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))


def hash_rows(columns: list[Values], target: NDArray[Any]) -> Hashes:
    """[N], equal for rows equal in all columns and the target."""
    state = np.full(len(target), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for array in (*_flat(columns), target):
        # Adding 0.0 makes -0.0 equal to 0.0.
        bits = (array.astype(np.float64) + 0.0).view(np.uint64)
        state = _mix(state ^ _mix(bits))
    return state


def _flat(columns: list[Values]) -> list[NDArray[Any]]:
    arrays: list[NDArray[Any]] = []
    for column in columns:
        if isinstance(column, Categories):
            arrays.append(column.codes)
        else:
            arrays.extend(np.where(np.isnan(part), np.nan, part) for part in column.values.T)
    return arrays


def _mix(bits: Hashes) -> Hashes:
    """Finalizer of splitmix64 (Steele, Lea, Flood 2014)."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
