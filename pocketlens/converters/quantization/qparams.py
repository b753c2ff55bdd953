"""Quantization parameters: scales and zero points, and rounding with them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_LEVELS = {8: 255, 16: 65535}
"""The largest unsigned integer of so many bits."""


@dataclass(frozen=True)
class ActivationQParams:
    """How a value's numbers become integers: ``round(x / scale) + zero_point``."""

    scale: float
    zero_point: int
    bits: int


def choose_qparams_affine(low: float, high: float, bits: int) -> ActivationQParams:
    """The scale and zero point of unsigned integers that cover a range, which holds 0.

    Example:
        >>> choose_qparams_affine(0, 255, 8)
        ActivationQParams(scale=1.0, zero_point=0, bits=8)
    """
    levels = MAX_LEVELS[bits]
    scale = float(np.float32(max(high - low, 1e-12) / levels))
    return ActivationQParams(scale, int(np.clip(round(-low / scale), 0, levels)), bits)


def choose_qparams_absmax(weight: NDArray[np.float32], axis: int, pair_sums: bool) -> NDArray[np.float32]:
    """The scale of each output channel, ``float32 [channels]``.

    With ``pair_sums``, two neighbouring weights of one sign add up to 128 at most. Processors with AVX2 but no VNNI add
    two products of bytes in 16 bits, and 255 · 128 fits while 255 · 254 is clipped. The usual cure halves all weights,
    which costs 6 dB; this costs 2 to 3.
    """
    rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1).astype(np.float64)
    scale = np.abs(rows).max(1) / 127
    if pair_sums and weight.ndim == 4:
        inner = np.moveaxis(weight, axis, 0)  # [out, in, height, width]: kernels pair neighbouring inputs
        inner = inner.transpose(0, 2, 3, 1).reshape(inner.shape[0], -1)
        inner = np.pad(inner, ((0, 0), (0, inner.shape[1] % 2))).reshape(inner.shape[0], -1, 2)
        for sign in (1, -1):
            scale = np.maximum(scale, np.clip(sign * inner, 0, None).sum(2).max(1) / 128)
    return np.where(scale > 0, scale, 1.0).astype(np.float32)


def quantize_affine(weight: NDArray[np.float32], scale: NDArray[np.float32], axis: int) -> NDArray[np.int8]:
    """The weights as integers, symmetric: ``round(weight / scale)``, within -127 and 127."""
    shape = [1] * weight.ndim
    shape[axis] = -1
    integers: NDArray[np.int8] = np.clip(np.rint(weight / scale.reshape(shape)), -127, 127).astype(np.int8)
    return integers
