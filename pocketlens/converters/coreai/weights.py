"""Low-bit weights as a Core AI program stores them: ``dequantize`` of integers and ``lut_to_dense`` of packed indices.

Neither is folded when the file is written, so that weights stay small on disk.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.converters.coreai.constants import Constants
from pocketlens.converters.quantized_weights import AffineQuantizedWeights, LutWeights, QuantizedWeights, pack_indices


def store(constants: Constants, weights: QuantizedWeights, dtype: type[np.floating[Any]]) -> Any:
    """A variable that holds the weights, of ``dtype``, read from their low-bit form."""
    return (
        _affine(constants, weights, dtype)
        if isinstance(weights, AffineQuantizedWeights)
        else _lut(constants, weights, dtype)
    )


def _affine(constants: Constants, weights: AffineQuantizedWeights, dtype: type[np.floating[Any]]) -> Any:
    import coreai.authoring as ops

    exact = dtype_of_scales(weights.scales, dtype)
    scales = constants.array(weights.scales.astype(exact))
    zeros = constants.array(np.zeros(len(weights.scales), np.int8))
    offsets = constants.array(np.zeros(len(weights.scales), exact))
    axis = constants.array(np.array(weights.axis, np.int32))
    dense = ops.dequantize(constants.array(weights.values), scales, zeros, offsets, axis)
    return dense if exact is dtype else ops.cast(dense, dtype)


def dtype_of_scales(scales: NDArray[np.generic], dtype: type[np.floating[Any]]) -> type[np.floating[Any]]:
    """What to dequantize in: the type that the program computes in, or float32 where a scale is subnormal in it.

    The dequantize of coreai-core 1.0.0b3 takes a subnormal scale of float16 for 0, and gives wrong subnormal halves: a
    first convolution, whose weights are small since pixels go to 255, made a picture of 29 dB.
    """
    return np.float32 if (np.abs(scales.astype(np.float64)) < np.finfo(dtype).tiny).any() else dtype


def _lut(constants: Constants, weights: LutWeights, dtype: type[np.floating[Any]]) -> Any:
    import coreai.authoring as ops

    bits = len(weights.table).bit_length() - 1
    indices = constants.packed(pack_indices(weights), weights.indices.shape, bits)
    table = weights.table.astype(dtype).reshape((*(1,) * weights.indices.ndim, -1, 1))
    return ops.lut_to_dense(indices, constants.array(table), constants.array(np.array(0, np.int16)))
