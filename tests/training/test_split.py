"""Dealing rows into parts."""

from collections import Counter

import numpy as np
import pytest

from modelmill_training.data import Categories, Numbers
from modelmill_training.split import hash_rows, split_rows
from tests.ml_tree import Data, builtin
from tests.training.conftest import Train


def distinct(rows: int) -> np.ndarray:
    return np.arange(rows, dtype=np.uint64)


@pytest.mark.parametrize("rows", [5, 6, 7, 10, 11, 30, 100, 1001])
@pytest.mark.parametrize("classes", [None, 2, 3])
def test_every_row_is_in_exactly_one_part(rows: int, classes: int | None) -> None:
    labels = None if classes is None else np.arange(rows) % classes
    split = split_rows(distinct(rows), labels, seed=1)
    everything = np.concatenate([split.train, split.validation, split.test])
    assert sorted(everything) == list(range(rows))
    assert len(split.test) >= 1
    assert len(split.train) >= len(split.test)
    if rows >= 100:
        assert len(split.test) == pytest.approx(0.15 * rows, abs=2)
        assert len(split.validation) == pytest.approx(0.15 * rows, abs=2)


def test_classes_keep_their_proportions_and_rare_ones_are_trained_on() -> None:
    labels = np.array([0] * 900 + [1] * 90 + [2] * 9 + [3])
    split = split_rows(distinct(1000), labels, seed=1)
    assert Counter(labels[split.test]) == {0: 135, 1: 14, 2: 1}
    assert Counter(labels[split.validation]) == {0: 135, 1: 14, 2: 1}
    assert set(labels[split.train]) == {0, 1, 2, 3}


def test_the_seed_decides() -> None:
    first, again, other = (split_rows(distinct(100), None, seed) for seed in (1, 1, 2))
    assert (first.parts() == again.parts()).all()
    assert (first.parts() != other.parts()).any()


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_repeat_stay_on_one_side(seed: int) -> None:
    # given 300 rows of which some occur many times
    random = np.random.default_rng(seed)
    identity = random.integers(0, 120, 300).astype(np.uint64)
    identity[:60] = 7
    classes = (identity % 2).astype(np.int64)

    split = split_rows(identity, classes, seed)

    parts = [set(identity[rows]) for rows in (split.train, split.validation, split.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert split.duplicate_rows == 300 - len(set(identity))
    assert split.repeats_together
    assert len(split.test) > 15
    assert len(split.validation) > 15


def test_a_handful_of_distinct_rows_is_dealt_row_by_row() -> None:
    split = split_rows(np.arange(1000, dtype=np.uint64) % 6, np.arange(1000) % 2, seed=1)
    assert not split.repeats_together
    assert split.duplicate_rows == 994
    assert len(split.test) == 150


def test_rows_are_equal_when_all_their_values_are() -> None:
    numbers = Numbers(np.array([[1.0], [1.0], [-0.0], [0.0], [np.nan], [np.nan]]))
    words = Categories(np.array([0, 1, 0, 0, -1, -1]), ["a", "b"])
    target = np.array([1, 1, 1, 1, 1, 1])
    hashes = hash_rows([numbers, words], target).tolist()
    assert hashes[0] != hashes[1]
    assert hashes[2] == hashes[3]
    assert hashes[4] == hashes[5]
    assert len(set(hashes)) == 4
    assert hash_rows([numbers], target)[0] != hash_rows([numbers], target + 1)[0]


def test_values_that_change_places_make_another_row() -> None:
    left, right = Numbers(np.array([[1.0], [2.0]])), Numbers(np.array([[2.0], [1.0]]))
    first, second = hash_rows([left, right], np.array([0, 0]))
    assert first != second


def test_a_job_keeps_repeated_rows_together_whatever_their_ids(train: Train) -> None:
    # given 150 flowers, each three times under another id
    flowers = builtin("iris")
    tripled = flowers.take(list(range(150)) * 3)
    tree = train(Data({"id": ("integer", list(range(450))), **tripled.columns}, "target", "multiclass"))

    rows = list(zip(*(values for _, values in tripled.columns.values()), strict=True))
    seen = {part: {rows[row] for row in members} for part, members in tree.parts.items()}
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["validation"]
    assert not seen["validation"] & seen["test"]
    assert tree.manifest.split["duplicate_rows"] == 450 - len(set(rows))
