"""The order in which an epoch goes through its rows."""

import numpy as np

from modelmill_training.data import Integers

# Batches among whose rows sequences of like length are sought.
POOL = 50


def shuffled(rows: int, lengths: Integers | None, batch_size: int, seed: int, epoch: int) -> Integers:
    """[rows] an order that depends on nothing but the arguments; of sequences, batches of about equally long ones."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(rows)
    if lengths is None:
        return order
    pools = np.split(order, range(POOL * batch_size, len(order), POOL * batch_size))
    batches = [
        batch
        for pool in pools
        for batch in np.split(pool[np.argsort(lengths[pool], kind="stable")], range(batch_size, len(pool), batch_size))
    ]
    # The last batch may be smaller: where another place than the last is taken by it, batches are cut differently.
    last = batches.pop()
    random.shuffle(batches)
    return np.concatenate([*batches, last])
