"""Why nodes are refused, and how their constant inputs are read, for targets that keep ONNX's order of axes."""

from collections.abc import Callable, Collection

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.lowering import integers, needs_constants, needs_rank, optional, rank, shape
from pocketlens.converters.resize_matrix import why_not

_ROUNDED = (np.dtype("uint8"), np.dtype("int8"))


def check_convolution(node: ir.Node) -> str:
    """Why a convolution or transposed convolution is refused."""
    return needs_rank(node, 4) or needs_constants(node, "its weights are", 1, 2)


def check_batch_norm(node: ir.Node) -> str:
    """Why a batch norm is refused."""
    if hub.integer(node, "training_mode", 0):
        return "it is in training mode: export the generator in eval mode"
    return needs_rank(node, 3, 4, 5) or needs_constants(node, "its statistics are", 1, 2, 3, 4)


def check_instance_norm(node: ir.Node) -> str:
    """Why an instance norm is refused."""
    return needs_rank(node, 3, 4) or needs_constants(node, "its scale or shift is", 1, 2)


def check_layer_norm(node: ir.Node) -> str:
    """Why a layer norm is refused."""
    if len(node.outputs) > 1:
        return "its mean and deviation are outputs too"
    return needs_constants(node, "its scale or shift is", 1, 2)


def check_matmul(node: ir.Node) -> str:
    """Why a matrix product is refused."""
    if min(rank(node.inputs[0]), rank(node.inputs[1])) < 2:
        return "one of its inputs has one axis, and both have to have two or more"
    return ""


def check_resize(node: ir.Node, nearest: Collection[str], has_operation: Callable[[ir.Node], bool]) -> str:
    """Why a Resize is refused.

    Args:
        node: The Resize.
        nearest: The conventions of places that the target has for ``nearest``.
        has_operation: Whether an operation of the target computes it; what has none becomes two matrices.
    """
    if reason := needs_rank(node, 4) or needs_constants(node, "its size is", 2, 3):
        return reason
    mode = hub.text(node, "mode", "nearest")
    coordinates = hub.text(node, "coordinate_transformation_mode", "half_pixel")
    if mode not in ("nearest", "linear", "cubic"):
        return f"its mode is {mode!r}, expected nearest, linear or cubic"
    before, after = shape(node.inputs[0]), shape(node.outputs[0])
    if before[:2] != after[:2]:
        return "it resizes batch or channels"
    if mode != "nearest":
        return "" if has_operation(node) else why_not(node, before, after)
    if coordinates not in nearest:
        return f"its coordinates are {coordinates!r}, and have to be one of {', '.join(nearest)}"
    if hub.text(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return "it keeps an aspect ratio, and has to stretch"
    return ""


def check_gather(node: ir.Node) -> str:
    """Why a Gather is refused."""
    return "" if rank(node.inputs[1]) <= 1 else f"its indices have {rank(node.inputs[1])} axes, and may have one"


def gathered(node: ir.Node) -> tuple[int, list[int]]:
    """The axis of a Gather, and its indices along it, none negative."""
    axis = hub.integer(node, "axis", 0) % rank(node.inputs[0])
    indices = integers(node, 1)
    assert indices is not None
    return axis, [index % shape(node.inputs[0])[axis] for index in indices]


def slice_ranges(node: ir.Node) -> list[range]:
    """Which indices a Slice takes of each axis."""
    lengths = shape(node.inputs[0])
    starts, ends = integers(node, 1), integers(node, 2)
    assert starts is not None and ends is not None
    axes = integers(node, 3) or tuple(range(len(starts)))
    steps = integers(node, 4) or (1,) * len(starts)
    ranges = [range(length) for length in lengths]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        ranges[axis] = range(*slice(start, end, step).indices(lengths[axis]))
    return ranges


def check_quantizer(node: ir.Node) -> str:
    """Why a QuantizeLinear or DequantizeLinear of computed values is refused."""
    if reason := needs_constants(node, "its scale or zero point is", 1, 2):
        return reason
    scale, zero = constant(node.inputs[1]), zero_point(node)
    if scale is None or scale.size != 1 or zero.size != 1:
        return "it has a scale for each channel, and only one for all is known"
    if zero.dtype not in _ROUNDED:
        return f"it makes {zero.dtype}, and only int8 and uint8 are known"
    return ""


def zero_point(node: ir.Node) -> NDArray[np.generic]:
    """The zero point of a QuantizeLinear or DequantizeLinear, in the type that it rounds to."""
    zero = constant(optional(node, 2))
    return np.zeros((), np.uint8) if zero is None else zero.reshape(()) if zero.size == 1 else zero


def check_extreme_place(node: ir.Node) -> str:
    """Why an ArgMax or ArgMin is refused."""
    return "it wants the last of equal values" if hub.integer(node, "select_last_index", 0) else ""


def check_cumulative_sum(node: ir.Node) -> str:
    """Why a CumSum is refused."""
    return needs_constants(node, "its axis is", 1)


def check_top(node: ir.Node) -> str:
    """Why a TopK is refused."""
    return needs_constants(node, "its number of values is", 1)
