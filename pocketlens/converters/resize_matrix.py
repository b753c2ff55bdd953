"""A Resize along one axis as a matrix: for interpolations that a target has no operator for.

By ONNX's definition of Resize (opset 19): each output position weighs the input positions around its place, with a
kernel of width 2 (linear) or 4 (cubic, Keys 1981), which antialiasing stretches where the axis shrinks.
"""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.nearest import resize_scale

COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric")
"""Conventions of the places of pixels that are known here."""
NEEDS = (
    "height and width of four axes; half_pixel, pytorch_half_pixel, align_corners, asymmetric, and"
    " half_pixel_symmetric unless it is nearest"
)
"""What a Resize has to be for a target whose own operators and these matrices compute it, in words."""
MAX_BYTES = 1 << 24
"""Of one matrix: 2,048 to 2,048 positions."""


def why_not(node: ir.Node, before: tuple[int, ...], after: tuple[int, ...]) -> str:
    """Why a Resize of height and width cannot be two matrices, in words; empty where it can.

    Args:
        node: The Resize; ``axes`` is all four by now.
        before: The shape of its input, of four axes.
        after: The shape of its output.
    """
    coordinates = hub.text(node, "coordinate_transformation_mode", "half_pixel")
    if coordinates not in COORDINATES:
        return f"its coordinates are {coordinates!r}, expected {', '.join(COORDINATES)}"
    if hub.text(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return "it keeps an aspect ratio, and has to stretch"
    if any(constant(value) is None for value in node.inputs[2:] if value is not None and value.name):
        return "its size is computed while the model runs"
    largest = max(before[axis] * after[axis] for axis in (2, 3)) * 4
    return f"its matrix has {largest:,} bytes, more than {MAX_BYTES:,}" if largest > MAX_BYTES else ""


def resize_matrix(node: ir.Node, axis: int, before: tuple[int, ...], after: tuple[int, ...]) -> NDArray[np.float32]:
    """How much of each input position every output position takes: ``float32 [after, before]``.

    Args:
        node: A Resize whose mode is linear or cubic, which :func:`why_not` has nothing against.
        axis: 2 or 3.
        before: The shape of its input.
        after: The shape of its output.
    """
    length, out = before[axis], after[axis]
    scale = resize_scale(node, axis, before, after)
    places = _places(node, length, out, scale)
    stretch = min(scale, 1.0) if hub.integer(node, "antialias", 0) else 1.0
    cubic = hub.text(node, "mode", "nearest") == "cubic"
    reach = int(np.ceil((2 if cubic else 1) / stretch))
    near = np.floor(places).astype(np.int64)[:, None] + np.arange(1 - reach, reach + 1)
    distances = np.abs(near - places[:, None]) * stretch
    weights = _cubic(distances, hub.number(node, "cubic_coeff_a", -0.75)) if cubic else np.maximum(1 - distances, 0)
    if hub.integer(node, "exclude_outside", 0):
        weights = np.where((near >= 0) & (near < length), weights, 0)
    if stretch < 1 or hub.integer(node, "exclude_outside", 0):
        weights = weights / weights.sum(1, keepdims=True)
    matrix = np.zeros((out, length))
    np.add.at(matrix, (np.arange(out)[:, None], np.clip(near, 0, length - 1)), weights)
    return matrix.astype(np.float32)


def _places(node: ir.Node, length: int, out: int, scale: float) -> NDArray[np.float64]:
    """Where in the input each output position lies."""
    coordinates = hub.text(node, "coordinate_transformation_mode", "half_pixel")
    at = np.arange(out, dtype=np.float64)
    if coordinates == "asymmetric":
        return at / scale
    if coordinates == "align_corners":
        return at * ((length - 1) / (out - 1)) if out > 1 else at * 0
    if coordinates == "pytorch_half_pixel" and out == 1:
        return at * 0
    if coordinates == "half_pixel_symmetric":
        shift = length / 2 * (1 - out / (scale * length))
        return shift + (at + 0.5) / scale - 0.5
    return (at + 0.5) / scale - 0.5


def _cubic(distances: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    """Keys' kernel: cubic within 1 and within 2, 0 beyond."""
    d = distances
    inner = ((a + 2) * d - (a + 3)) * d * d + 1
    outer = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    kernel: NDArray[np.float64] = np.where(d <= 1, inner, np.where(d < 2, outer, 0.0))
    return kernel
