"""Resizing by TFLite's two kernels, where they read exactly the pixels that the graph asks for; else, where it is not
nearest, by a matrix for each axis.

RESIZE_BILINEAR computes a pixel at a time: with few channels, a row of enlarged pixels is a convolution of the small
ones.

RESIZE_NEAREST_NEIGHBOR leaves XNNPACK. It stays nevertheless: enlarging by concatenations and DEPTH_TO_SPACE, or by
concatenations and reshapes, stays inside and was slower (four doublings of 128 x 128 x 32: 18 against 28 and 21 ms).
"""

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters import nearest
from pocketlens.converters.lowering import shape
from pocketlens.converters.resize_matrix import NEEDS, resize_matrix, why_not
from pocketlens.converters.tflite.builder import Tensor, TFLiteBuilder
from pocketlens.converters.tflite.lowerings.convolution import add_convolution
from pocketlens.converters.tflite.lowerings.padding import repeat_edges
from pocketlens.converters.tflite.lowerings.windows import AxisWindow
from pocketlens.converters.tflite.registry import lowering

MAX_ROWS_CHANNELS, MIN_ROWS_FACTOR = 4, 4
"""At most so many channels and at least so many times larger for a picture that is enlarged by rows."""

_LINEAR = {
    "half_pixel": {"halfPixelCenters": True},
    "pytorch_half_pixel": {"halfPixelCenters": True},
    "align_corners": {"alignCorners": True},
    "asymmetric": {},
}
_NEAREST: tuple[tuple[bool, bool], ...] = ((False, False), (False, True), (True, False), (True, True))
"""(alignCorners, halfPixelCenters) of RESIZE_NEAREST_NEIGHBOR, the simplest first."""


def _check(node: ir.Node) -> str:
    before, after = shape(node.inputs[0]), shape(node.outputs[0])
    if len(before) != 4 or before[:2] != after[:2]:
        return f"from {list(before)} to {list(after)}, only height and width can be resized"
    mode = hub.text(node, "mode", "nearest")
    if mode not in ("nearest", "linear", "cubic"):
        return f"mode {mode!r}, expected nearest, linear or cubic"
    if before == after or _has_kernel(node):
        return ""
    return _check_nearest(node) if mode == "nearest" else why_not(node, before, after)


def _has_kernel(node: ir.Node) -> bool:
    """Whether RESIZE_BILINEAR computes a Resize."""
    before, after, convention = shape(node.inputs[0]), shape(node.outputs[0]), _convention(node)
    if hub.text(node, "mode", "nearest") != "linear" or convention not in _LINEAR:
        return False
    if hub.integer(node, "antialias", 0) and any(a < b for a, b in zip(after, before, strict=True)):
        return False
    if convention == "pytorch_half_pixel" and 1 in after[2:]:
        return False
    # TFLite only knows the two sizes. A scale of its own that rounds to the same size samples elsewhere.
    scales = [nearest.resize_scale(node, axis, before, after) for axis in (2, 3)]
    products = zip(before[2:], scales, after[2:], strict=True)
    return convention == "align_corners" or all(abs(b * scale - a) <= 1e-4 for b, scale, a in products)


def _check_nearest(node: ir.Node) -> str:
    before, after = shape(node.inputs[0]), shape(node.outputs[0])
    if any(nearest.source_indices(node, axis, before, after) is None for axis in (2, 3)):
        return f"the convention {_convention(node)!r} is not known"
    return ""


def _convention(node: ir.Node) -> str:
    return hub.text(node, "coordinate_transformation_mode", "half_pixel")


@lowering(
    "Resize",
    check=_check,
    needs=NEEDS,
)
def resize(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR over height and width, or two BATCH_MATMUL."""
    x = builder.get(node.inputs[0])
    if shape(node.inputs[0]) == shape(node.outputs[0]):
        return x
    if hub.text(node, "mode", "nearest") == "nearest":
        return _nearest(builder, node, x)
    if not _has_kernel(node):
        return _by_matrices(builder, node, x)
    factor = _rows_factor(node)
    return _linear(builder, node, x) if factor < MIN_ROWS_FACTOR else _by_rows(builder, node, x, factor)


def _rows_factor(node: ir.Node) -> int:
    """How many times larger a picture of few channels becomes, at half-pixel places; 0 for any other Resize."""
    before, after = shape(node.inputs[0]), shape(node.outputs[0])
    factor = after[3] // before[3]
    grown = tuple(edge * factor for edge in before[2:])
    return factor if before[1] <= MAX_ROWS_CHANNELS and grown == after[2:] and _convention(node) == "half_pixel" else 0


def _by_rows(builder: TFLiteBuilder, node: ir.Node, x: Tensor, factor: int) -> Tensor:
    """Enlarge rows with CONV_2D: each small pixel and its two neighbours give ``factor`` pixels, which lie one beside
    the other in the channels. Then enlarge columns with RESIZE_BILINEAR, which computes these channels side by side.
    """
    batch, height, width, channels = x.shape
    shares = resize_matrix(node, 3, (1, 1, 1, 3), (1, 1, 1, 3 * factor))[factor:-factor]
    kernel = np.einsum("pk,oi->poik", shares, np.eye(channels, dtype=np.float32))
    kernel = kernel.reshape(factor * channels, channels, 1, 3)
    rows, columns = AxisWindow(height, height, 1, 1, 0, 0), AxisWindow(width + 2, width, 3, 1, 0, 0)
    bias = builder.constant(np.zeros(factor * channels, np.float32))
    x = add_convolution(builder, repeat_edges(builder, x, 2, 1, 1), kernel, bias, rows, columns)
    tall = (batch, height * factor, width, factor * channels)
    x = builder.add("RESIZE_BILINEAR", [x, builder.integers(tall[1:3])], tall, 3, halfPixelCenters=True)
    return builder.reshape(x, (batch, tall[1], width * factor, channels))


def _by_matrices(builder: TFLiteBuilder, node: ir.Node, x: Tensor) -> Tensor:
    before, after = shape(node.inputs[0]), shape(node.outputs[0])
    rows, columns = (builder.constant(resize_matrix(node, axis, before, after)[None]) for axis in (2, 3))
    batch, height, width, channels = x.shape
    flat = builder.reshape(x, (batch, height, width * channels))
    flat = _product(builder, rows, flat, (batch, after[2], width * channels))
    lines = builder.reshape(flat, (batch * after[2], width, channels))
    lines = _product(builder, columns, lines, (batch * after[2], after[3], channels))
    return builder.reshape(lines, (batch, after[2], after[3], channels))


def _product(builder: TFLiteBuilder, matrix: Tensor, x: Tensor, result: tuple[int, ...]) -> Tensor:
    return builder.add("BATCH_MATMUL", [matrix, x], result, adjX=False, adjY=False)


def _linear(builder: TFLiteBuilder, node: ir.Node, x: Tensor) -> Tensor:
    options = _LINEAR[_convention(node)]
    version = 3 if options.get("halfPixelCenters") else 1
    return _resize(builder, "RESIZE_BILINEAR", x, shape(node.outputs[0]), version, options)


def _nearest(builder: TFLiteBuilder, node: ir.Node, x: Tensor) -> Tensor:
    before, after = shape(node.inputs[0]), shape(node.outputs[0])
    rows, columns = (nearest.source_indices(node, axis, before, after) for axis in (2, 3))
    assert rows is not None and columns is not None
    expected = [rows, columns]
    for corners, centers in _NEAREST:
        read = [_tflite_nearest(before[axis], after[axis], corners, centers) for axis in (2, 3)]
        if all(np.array_equal(a, b) for a, b in zip(expected, read, strict=True)):
            options = {"alignCorners": corners, "halfPixelCenters": centers}
            return _resize(builder, "RESIZE_NEAREST_NEIGHBOR", x, after, 3 if corners or centers else 1, options)
    # Neither convention of TFLite picks these pixels: pick them by number. GATHER leaves XNNPACK.
    for axis, picked in enumerate(expected, start=1):
        resized = (*x.shape[:axis], len(picked), *x.shape[axis + 1 :])
        x = builder.add("GATHER", [x, builder.constant(picked)], resized, axis=axis)
    return x


def _resize(
    builder: TFLiteBuilder, code: str, x: Tensor, after: tuple[int, ...], version: int, options: dict[str, Any]
) -> Tensor:
    height, width = after[2:]
    return builder.add(
        code, [x, builder.integers([height, width])], (x.shape[0], height, width, x.shape[3]), version, **options
    )


def _tflite_nearest(length: int, out: int, corners: bool, centers: bool) -> NDArray[np.int64]:
    """The pixel that RESIZE_NEAREST_NEIGHBOR takes, as TFLite's reference kernel computes it."""
    corner = corners and out > 1
    scale = np.float32(length - 1) / np.float32(out - 1) if corner else np.float32(length) / np.float32(out)
    at = (np.arange(out, dtype=np.float32) + np.float32(0.5 if centers else 0.0)) * scale
    picked: NDArray[np.int64] = np.clip(np.floor(at + 0.5) if corners else np.floor(at), 0, length - 1).astype(np.int64)
    return picked
