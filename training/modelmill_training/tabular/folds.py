"""Dealing training rows into folds, for comparing what is trained on the rest of them."""

import numpy as np

from modelmill_training.data import Integers
from modelmill_training.split import sample
from modelmill_training.tabular.algorithms import Rows
from modelmill_training.tabular.prepare import Prepared

MAX_ROWS = 50_000
FOLDS = 3


def fold_numbers(rows: Rows, classes: int, seed: int) -> Integers:
    """Per row the fold that predicts it; classes keep their proportions, and those too small for it get -1."""
    order = np.random.default_rng(seed).permutation(len(rows.target))
    if classes:
        order = order[np.argsort(rows.target[order], kind="stable")]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.arange(len(order)) % FOLDS
    if classes:
        small = np.bincount(rows.target.astype(np.int64), minlength=classes) < FOLDS
        numbers[small[rows.target.astype(np.int64)]] = -1
    return numbers


def sample_rows(prepared: Prepared, seed: int) -> Integers:
    """At most MAX_ROWS of the training rows, stratified for classes."""
    rows = prepared.split.train
    if prepared.target.labels is None or len(rows) <= MAX_ROWS:
        return sample(rows, MAX_ROWS, seed)
    share = MAX_ROWS / len(rows)
    classes = prepared.target.values[rows]
    members = (rows[classes == place] for place in range(prepared.classes))
    parts = [sample(part, max(FOLDS, round(share * len(part))), seed) for part in members]
    return np.sort(np.concatenate(parts))
