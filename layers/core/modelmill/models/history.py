"""How much history a model takes, and how holes in it are filled; training and serving share it."""

import numpy as np
from numpy.typing import NDArray

# A longer hole, or more holes than this share, would make what is filled in the data.
LONGEST_GAP = 10
GAP_SHARE = 0.2

# Squares of the values and their sums stay finite.
LARGEST = 1e100


def gap_of(values: NDArray[np.float64]) -> tuple[int, int]:
    """The length of the longest run of NaN in [n], and where it begins; (0, 0) without any."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.isnan(values).astype(np.int8), [0]])))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    return (int(lengths.max()), int(starts[lengths.argmax()])) if len(lengths) else (0, 0)


def interpolated(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n] with NaN replaced along the straight line between the neighbours, of which there must be any."""
    known = np.flatnonzero(~np.isnan(values))
    return np.interp(np.arange(len(values)), known, values[known])


def carried(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n, k] with NaN replaced by the last value before it; before the first one they stay."""
    places = np.where(np.isnan(columns), 0, np.arange(len(columns))[:, None])
    return np.take_along_axis(columns, np.maximum.accumulate(places, axis=0), axis=0)
