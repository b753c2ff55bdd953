"""The few values that stand best for many, by one-dimensional k-means: the look-up table of palettized weights."""

import numpy as np
from numpy.typing import NDArray

_MAX_ITERATIONS = 200


def kmeans_1d(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The ``count`` values of least squared error, ascending; fewer distinct values give themselves.

    Lloyd's iteration on sorted values. It starts where few levels are lost in the tails: the density of levels follows
    the cube root of the density of values (Panter and Dite 1951), the best there is for many levels. Nothing is random,
    so the same weights give the same table.

    Args:
        values: ``[n]``, finite.
        count: At least 2.

    Example:
        >>> kmeans_1d(np.float32([0, 0.1, 5, 5.1, -3]), 3).round(2)
        array([-3.  ,  0.05,  5.05], dtype=float32)
    """
    ordered = np.sort(values.astype(np.float64))
    distinct = np.unique(ordered)
    if distinct.size <= count:
        return np.pad(distinct, (0, count - distinct.size), mode="edge").astype(np.float32)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centers = _initial_centers(ordered, count)
    for _ in range(_MAX_ITERATIONS):
        edges = np.concatenate([[0], np.searchsorted(ordered, (centers[1:] + centers[:-1]) / 2), [ordered.size]])
        counts = np.diff(edges)
        moved = np.where(counts > 0, np.diff(sums[edges]) / np.maximum(counts, 1), centers)
        if np.array_equal(moved, centers):
            break
        centers = moved
    return centers.astype(np.float32)


def _initial_centers(ordered: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    low, high = float(ordered[0]), float(ordered[-1])
    density, edges = np.histogram(ordered, bins=max(4 * count, 64), range=(low, high))
    share = np.concatenate([[0.0], np.cumsum(np.cbrt(density))])
    target_share = (np.arange(count) + 0.5) / count * share[-1]
    return np.asarray(np.interp(target_share, share, edges), np.float64)
