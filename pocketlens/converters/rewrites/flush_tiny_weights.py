"""Weights that are too small to change anything count as 0: processors are a hundred times slower with such numbers."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters.rewrites.passes import GraphPass

_DENORMAL = 2.0**-126
"""Float32 numbers below are denormal."""
_TINY = 2.0**-100
"""Products of a weight below with values of a generator are denormal, or soon will be."""
_SHARE = 2.0**-64
"""Of the largest weight of a tensor: float32 keeps 24 bits, so that no sum in which the largest takes part changes."""


def flush_tiny(weights: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Weights with zeros for those that are denormal, or tiny beside the largest one; and how many those are.

    Example:
        >>> flush_tiny(np.array([0.5, 1e-40, -3e-35, 0.0], np.float32))
        (array([0.5, 0. , 0. , 0. ], dtype=float32), 2)
        >>> flush_tiny(np.array([2e-32, 1e-33], np.float32))[1]
        0
    """
    sizes = np.abs(weights)
    tiny = (sizes < _DENORMAL) | ((sizes < _TINY) & (sizes < _SHARE * sizes.max(initial=0)))
    tiny &= sizes > 0
    count = int(np.count_nonzero(tiny))
    return (np.where(tiny, np.float32(0), weights), count) if count else (weights, 0)


class FlushTinyWeights(GraphPass):
    """Put zeros in place of weights and constants that are too small to be seen (:func:`flush_tiny`).

    Attributes:
        flushed: How many.
        of: Of how many weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flushed, self.of = 0, 0

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Look at every float32 weight."""
        for value in model.graph.initializers.values():
            if value.dtype != ir.DataType.FLOAT or value.const_value is None:
                continue
            weights, count = flush_tiny(value.const_value.numpy())
            self.of += weights.size
            if count:
                self.flushed += count
                value.const_value = ir.tensor(weights, name=value.name)
        return ir.passes.PassResult(model, bool(self.flushed))
