"""Scales and look-up tables of weights, chosen for least squared error."""

import numpy as np
from numpy.typing import NDArray

from pocketlens.converters.quantized_weights import LEVELS
from pocketlens.converters.weight_quantization.kmeans import kmeans_1d

_CLIPS = np.linspace(0.8, 1.0, 9, dtype=np.float32)
"""Shares of the largest weight that the largest integer may stand for."""


def choose_qparams_mse(array: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """For each channel the scale of least squared error among a few that clip its largest weights, as float16 has
    it.
    """
    rows = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
    largest = np.abs(rows).max(axis=1)
    best, least = np.ones(len(rows), np.float32), np.full(len(rows), np.inf)
    for clip in _CLIPS[::-1]:
        # None is 0, which has no inverse, and none so small that float16 has only a few bits of it.
        scales = np.maximum((largest * clip / LEVELS).astype(np.float16).astype(np.float32), _smallest_scale())
        levels = np.clip(np.rint(rows / scales[:, None]), -LEVELS, LEVELS)
        error = np.square(levels * scales[:, None] - rows, dtype=np.float64).sum(axis=1)
        better = error < least
        best[better], least[better] = scales[better], error[better]
    return best


def _smallest_scale() -> np.float32:
    return np.float32(np.finfo(np.float16).smallest_subnormal)


def choose_lut(array: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """The ``2^bits`` values that stand best for an array's, as float16 has them, ascending."""
    table = kmeans_1d(array.reshape(-1), 1 << bits)
    return np.sort(table.astype(np.float16).astype(np.float32))
