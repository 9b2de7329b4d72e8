"""What each column is worth: how much worse predictions become when its values are shuffled among the rows.

Permutation importance (https://doi.org/10.1023/A:1010933404324) of the user's own columns, not of the features that are
made of them; it holds for every algorithm alike.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from modelmill_training.data import Integers, Table

REPEATS = 3


def permutation_importance(table: Table, score: Callable[[Table], float | None], seed: int) -> list[dict[str, Any]]:
    """`{"column", "importance"}` of each column, largest first; none where the rows allow no score.

    importance: the mean fall of the score over several shuffles.
    """
    whole = score(table)
    if whole is None:
        return []
    random = np.random.default_rng(seed)
    found = []
    for name in table.columns:
        scores = [score(_shuffled(table, name, random.permutation(table.rows))) for _ in range(REPEATS)]
        falls = [whole - value for value in scores if value is not None]
        found.append({"column": name, "importance": float(np.mean(falls)) if falls else 0.0})
    return sorted(found, key=lambda entry: -entry["importance"])


def _shuffled(table: Table, name: str, order: Integers) -> Table:
    return Table(table.rows, table.columns | {name: table.columns[name].take(order)})
