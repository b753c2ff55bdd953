"""Reading ``x * scale + shift`` with constants that are one number a channel, in each of the ways it is written."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites.edit import shape_of

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class ChannelAffine:
    """What a node computes: ``x * scale + shift``, both ``float64 [channels]``."""

    x: ir.Value
    scale: Vector
    shift: Vector


def channel_affine(node: ir.Node) -> ChannelAffine | None:
    """What a Mul, Div, Add, Sub, Neg or BatchNormalization does to each channel of a picture; None for all else.

    The picture is of rank 4 and leaves with the shape that it came with.
    """
    if node.domain:
        return None
    if node.op_type in ("Neg", "BatchNormalization"):
        x = node.inputs[0]
        channels = _channels(x, node)
        if x is None or channels is None:
            return None
        return (
            ChannelAffine(x, -np.ones(channels), np.zeros(channels)) if node.op_type == "Neg" else _batch_norm(x, node)
        )
    if node.op_type not in ("Mul", "Div", "Add", "Sub"):
        return None
    for x, other, first in ((node.inputs[0], node.inputs[1], True), (node.inputs[1], node.inputs[0], False)):
        channels = _channels(x, node)
        if x is None or channels is None or constant(x) is not None:
            continue
        term = per_channel(constant(other), channels)
        if term is None:
            continue
        ones, zeros = np.ones(channels), np.zeros(channels)
        match node.op_type, first:
            case "Mul", _:
                return ChannelAffine(x, term, zeros)
            case "Div", True if (term != 0).all():
                return ChannelAffine(x, 1 / term, zeros)
            case "Add", _:
                return ChannelAffine(x, ones, term)
            case "Sub", True:
                return ChannelAffine(x, ones, -term)
            case "Sub", False:
                return ChannelAffine(x, -ones, term)
    return None


def per_channel(array: NDArray[np.generic] | None, channels: int) -> Vector | None:
    """A float constant that broadcasts against ``[N, channels, H, W]`` with one number a channel, as a vector.

    Example:
        >>> per_channel(np.ones((2, 1, 1), np.float32), 2), per_channel(np.ones((1, 2), np.float32), 2)
        (array([1., 1.]), None)
    """
    if array is None or array.dtype.kind != "f" or array.ndim > 4:
        return None
    padded = array.reshape((1,) * (4 - array.ndim) + array.shape)
    if padded.shape[0] != 1 or padded.shape[2:] != (1, 1) or padded.shape[1] not in (1, channels):
        return None
    return np.broadcast_to(padded.reshape(-1).astype(np.float64), (channels,))


def _channels(x: ir.Value | None, node: ir.Node) -> int | None:
    before, after = shape_of(x), shape_of(node.outputs[0])
    return before[1] if before is not None and before == after and len(before) == 4 else None


def _batch_norm(x: ir.Value, node: ir.Node) -> ChannelAffine | None:
    arrays = [constant(value) for value in node.inputs[1:5]]
    if hub.integer(node, "training_mode", 0) or any(array is None for array in arrays):
        return None
    scale, shift, mean, variance = (np.asarray(array, np.float64) for array in arrays)
    factor = scale / np.sqrt(variance + hub.number(node, "epsilon", 1e-5))
    return ChannelAffine(x, factor, shift - mean * factor)
