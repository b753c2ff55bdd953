"""From the graph's axis order to TFLite's: a value of rank 4 is ``[N, C, H, W]`` there and ``[N, H, W, C]`` here.

TFLite's kernels for pictures only know channels last. Every value of rank 4 is stored that way, and every other rank as
it is, so almost no operator needs a transpose. What changes are axis numbers, constants, and which reshapes are free.
"""

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

Shape = tuple[int, ...]

TO_STORED = (0, 2, 3, 1)
"""Which axis of the graph each stored axis of four is."""
TO_GRAPH = (0, 3, 1, 2)
"""Which stored axis each of the graph's four axes is."""


def axis(graph_axis: int, rank: int) -> int:
    """The stored axis of an axis of the graph, which may count from the end.

    Example:
        >>> axis(-1, 4), axis(1, 4), axis(1, 3)
        (2, 3, 1)
    """
    return TO_GRAPH[graph_axis % 4] if rank == 4 else graph_axis % rank


def graph_axis(stored_axis: int, rank: int) -> int:
    """The graph's axis of a stored axis."""
    return TO_STORED[stored_axis] if rank == 4 else stored_axis


def shape(graph_shape: Sequence[int]) -> Shape:
    """The stored shape of a value.

    Example:
        >>> shape((1, 3, 480, 640))
        (1, 480, 640, 3)
    """
    return tuple(graph_shape[graph_axis(i, len(graph_shape))] for i in range(len(graph_shape)))


def stored(array: NDArray[Any]) -> NDArray[Any]:
    """A constant of the graph in stored order; a view."""
    return array.transpose(TO_STORED) if array.ndim == 4 else array


def same_order(before: Sequence[int], after: Sequence[int], permutation: Sequence[int] | None = None) -> bool:
    """Whether a reshape in the graph leaves the stored values in their order, so that it costs nothing.

    Args:
        before: The graph's shape before.
        after: The graph's shape after.
        permutation: For a transpose: axis ``i`` after is axis ``permutation[i]`` before.

    Example:
        >>> same_order((1, 8, 1, 1), (1, 8)), same_order((1, 8, 4, 4), (1, 128))
        (True, False)
        >>> same_order((1, 8, 4, 4), (1, 8, 16, 1))
        True
    """
    if math.prod(before) != math.prod(after):
        return False
    if permutation is None:
        return _loops(before, _strides(before)) == _loops(after, _strides(after))
    strides = _strides(before)
    return _loops(before, strides) == _loops(after, [strides[p] for p in permutation])


def _strides(graph_shape: Sequence[int]) -> list[int]:
    """How far apart neighbours are on each axis when the value lies in the graph's own order."""
    return [math.prod(graph_shape[i + 1 :]) for i in range(len(graph_shape))]


def _loops(graph_shape: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """The (length, stride) loops that walk a value as it is stored, over positions in the graph's order.

    Axes of length 1 are dropped and loops that continue each other are merged, so that two shapes with equal loops hold
    the same values in the same order.
    """
    rank = len(graph_shape)
    merged: list[tuple[int, int]] = []
    for i in range(rank):
        length, stride = graph_shape[graph_axis(i, rank)], strides[graph_axis(i, rank)]
        if length == 1:
            continue
        if merged and merged[-1][1] == length * stride:
            length *= merged.pop()[0]
        merged.append((length, stride))
    return merged


def constant_operand(array: NDArray[Any], rank: int) -> NDArray[Any]:
    """A constant that broadcasts in the graph against a value of ``rank``, made to broadcast as stored.

    Example:
        >>> import numpy as np
        >>> constant_operand(np.zeros((8, 1, 1)), 4).shape, constant_operand(np.float32(2), 4).shape
        ((1, 1, 1, 8), (1,))
    """
    if array.size == 1:
        return array.reshape(1 if rank else ())
    if rank == 4:
        return stored(array.reshape((1,) * (4 - array.ndim) + array.shape))
    return array
