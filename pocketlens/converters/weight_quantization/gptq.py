"""Rounding weights so that what a layer computes changes least, and not each weight by itself.

E. Frantar, S. Ashkboos, T. Hoefler, D. Alistarh: "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
Transformers", 2022, after the optimal brain surgeon of Hassibi and Stork, 1993: weights are rounded one after another,
and those not yet rounded take over what the rounding has changed, as far as they read correlated values.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pocketlens.converters.weight_quantization.activation_statistics import Hessian, HessianBlock

Floats = NDArray[np.float64]
Nearest = Callable[[Floats, tuple[NDArray[np.intp], ...]], Floats]
"""The nearest values that can be stored for some weights, given where in the tensor they are."""
DAMPING = 0.01
"""Added to the Hessian's diagonal, as a share of its mean: few pictures are not all pictures."""
_COLUMNS_AT_ONCE = 64
"""Columns whose effect on all later ones is applied in one product."""


def round_weights(array: NDArray[np.float32], nearest: Nearest, hessian: Hessian | None) -> Floats:
    """Round weights to the values that can be stored.

    Args:
        array: The weights.
        nearest: Rounds some of them.
        hessian: Of what they multiply; without it, or where a weight is in no block, each is rounded to the nearest.
    """
    weights = array.astype(np.float64)
    rounded = nearest(weights, tuple(np.indices(array.shape)))
    for block in hessian or ():
        rounded[block.places] = _round_block(weights[block.places], block, nearest)
    return rounded


def _round_block(rows: Floats, block: HessianBlock, nearest: Nearest) -> Floats:
    count = rows.shape[1]
    hessian = block.values.copy()
    diagonal = np.diag(hessian).copy()
    if not diagonal.any():  # nothing that these weights multiply was ever other than 0
        return nearest(rows, block.places)
    hessian[np.diag_indices(count)] += DAMPING * diagonal.mean()
    # What multiplies the largest values is rounded first, while many others can still make up for it.
    order = np.argsort(-diagonal, kind="stable")
    rows, places = rows[:, order], tuple(place[:, order] for place in block.places)
    inverse_factor = np.linalg.cholesky(np.linalg.inv(hessian[np.ix_(order, order)])).T
    rounded = np.empty_like(rows)
    for start in range(0, count, _COLUMNS_AT_ONCE):
        end = min(start + _COLUMNS_AT_ONCE, count)
        errors = np.empty((len(rows), end - start))
        for j in range(start, end):
            rounded[:, j] = nearest(rows[:, j], tuple(place[:, j] for place in places))
            errors[:, j - start] = (rows[:, j] - rounded[:, j]) / inverse_factor[j, j]
            rows[:, j + 1 : end] -= np.outer(errors[:, j - start], inverse_factor[j, j + 1 : end])
        rows[:, end:] -= errors @ inverse_factor[start:end, end:]
    return rounded[:, np.argsort(order)]
