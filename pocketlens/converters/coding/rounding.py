"""Rounding weights so that what a layer computes changes least, and not each weight by itself.

E. Frantar, S. Ashkboos, T. Hoefler, D. Alistarh: "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
Transformers", 2022, after the optimal brain surgeon of Hassibi and Stork, 1993: weights are rounded one after another, and
those not yet rounded take over what the rounding has changed, as far as they read correlated values.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pocketlens.converters.coding.moments import Block, Evidence

Floats = NDArray[np.float64]
Nearest = Callable[[Floats, tuple[NDArray[np.intp], ...]], Floats]
"""The nearest values that can be stored for some weights, given where in the tensor they are."""
DAMPING = 0.01
"""Added to the second moments' diagonal, as a share of its mean: few pictures are not all pictures."""
_STRIPE = 64
"""Columns whose effect on all later ones is applied in one product."""


def round_weights(array: NDArray[np.float32], nearest: Nearest, seen: Evidence | None) -> Floats:
    """The weights as they will be stored.

    Args:
        array: The weights.
        nearest: Rounds some of them.
        seen: What they multiply; without it, or where a weight is in no block, each is rounded to the nearest.
    """
    weights = array.astype(np.float64)
    rounded = nearest(weights, tuple(np.indices(array.shape)))
    for block in seen or ():
        rounded[block.places] = _block(weights[block.places], block, nearest)
    return rounded


def _block(rows: Floats, block: Block, nearest: Nearest) -> Floats:
    count = rows.shape[1]
    moments = block.moments.copy()
    diagonal = np.diag(moments).copy()
    if not diagonal.any():  # nothing that these weights multiply was ever other than 0
        return nearest(rows, block.places)
    moments[np.diag_indices(count)] += DAMPING * diagonal.mean()
    # What multiplies the largest values is rounded first, while many others can still make up for it.
    order = np.argsort(-diagonal, kind="stable")
    rows, places = rows[:, order], tuple(place[:, order] for place in block.places)
    spread = np.linalg.cholesky(np.linalg.inv(moments[np.ix_(order, order)])).T
    rounded = np.empty_like(rows)
    for start in range(0, count, _STRIPE):
        end = min(start + _STRIPE, count)
        errors = np.empty((len(rows), end - start))
        for j in range(start, end):
            rounded[:, j] = nearest(rows[:, j], tuple(place[:, j] for place in places))
            errors[:, j - start] = (rows[:, j] - rounded[:, j]) / spread[j, j]
            rows[:, j + 1 : end] -= np.outer(errors[:, j - start], spread[j, j + 1 : end])
        rows[:, end:] -= errors @ spread[start:end, end:]
    return rounded[:, np.argsort(order)]
