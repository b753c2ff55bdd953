"""Where two pictures differ most."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.quick_dataclass import dataclass

SHARE = 8
"""A region is an eighth of the picture's height and width: a face in a crowd, an eye in a portrait."""


@dataclass(frozen=True)
class Region:
    """A box in a picture, in pixels from the upper left corner.

    Attributes:
        error: The root of the mean squared difference inside, in values of 0..255.
    """

    top: int
    left: int
    height: int
    width: int
    error: float

    def __str__(self) -> str:
        return f"rows {self.top}..{self.top + self.height - 1}, columns {self.left}..{self.left + self.width - 1}"


def worst_region(reference: NDArray[Any], candidate: NDArray[Any]) -> Region:
    """The box of an eighth of each side with the largest mean squared difference; the first of equals.

    Args:
        reference: ``[height, width, 3]``, 0..255.
        candidate: The same.

    Example:
        >>> a = np.zeros((64, 64, 3))
        >>> b = a.copy()
        >>> b[40:48, 8:16] = 10
        >>> print(worst_region(a, b), worst_region(a, b).error)
        rows 40..47, columns 8..15 10.0
    """
    height, width = reference.shape[:2]
    rows, columns = max(1, height // SHARE), max(1, width // SHARE)
    squared = np.square(np.asarray(candidate, np.float64) - np.asarray(reference, np.float64)).mean(axis=2)
    # A summed-area table: the sum of any box from its four corners.
    table = np.zeros((height + 1, width + 1))
    table[1:, 1:] = squared.cumsum(0).cumsum(1)
    sums = table[rows:, columns:] - table[:-rows, columns:] - table[rows:, :-columns] + table[:-rows, :-columns]
    # Rounded, so that sums that are equal but for the order of adding choose the first box.
    top, left = np.unravel_index(int(np.argmax(sums.round(6))), sums.shape)
    error = float(np.sqrt(max(0.0, float(sums[top, left])) / (rows * columns)))
    return Region(int(top), int(left), rows, columns, round(error, 4))
