"""Average and maximum pooling."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.tflite.builder import SAME, VALID, Tensor, TFLiteBuilder
from pocketlens.converters.tflite.lowerings.padding import repeat_edges
from pocketlens.converters.tflite.lowerings.windows import AxisWindow, check_windows, windows
from pocketlens.converters.tflite.registry import lowering

_NEEDS = "two spatial axes, no dilation, no negative pads"


def _pool(builder: TFLiteBuilder, code: str, x: Tensor, rows: AxisWindow, columns: AxisWindow, padding: int) -> Tensor:
    return builder.add(
        code,
        [x],
        (x.shape[0], rows.out, columns.out, x.shape[3]),
        padding=padding,
        strideH=rows.stride,
        strideW=columns.stride,
        filterHeight=rows.kernel,
        filterWidth=columns.kernel,
    )


def _check(node: ir.Node) -> str:
    if any(dilation != 1 for dilation in hub.ints(node, "dilations", (1, 1))):
        return "it is dilated"
    return check_windows(node)


def _windows(node: ir.Node) -> tuple[AxisWindow, AxisWindow]:
    return windows(node, hub.ints(node, "kernel_shape", ()))


@lowering("MaxPool", check=_check, needs=_NEEDS)
def max_pool(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """MAX_POOL_2D. A repeated edge acts as padding with minus infinity: every window that reaches out contains it."""
    rows, columns = _windows(node)
    x = builder.get(node.inputs[0])
    if rows.is_valid and columns.is_valid:
        return _pool(builder, "MAX_POOL_2D", x, rows, columns, VALID)
    if rows.is_same and columns.is_same:
        return _pool(builder, "MAX_POOL_2D", x, rows, columns, SAME)
    for axis, window in ((1, rows), (2, columns)):
        x = repeat_edges(builder, x, axis, window.before, max(window.reach, 0))
    return _pool(builder, "MAX_POOL_2D", x, rows, columns, VALID)


@lowering("AveragePool", check=_check, needs=_NEEDS)
def average_pool(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """AVERAGE_POOL_2D, which never counts padding; a factor corrects the quotient where the graph counts it."""
    rows, columns = _windows(node)
    x = builder.get(node.inputs[0])
    counts_pads = bool(hub.integer(node, "count_include_pad", 0))
    if rows.is_valid and columns.is_valid:
        return _pool(builder, "AVERAGE_POOL_2D", x, rows, columns, VALID)
    if rows.is_same and columns.is_same and not counts_pads:
        return _pool(builder, "AVERAGE_POOL_2D", x, rows, columns, SAME)
    x = builder.pad_zeros(x, [(0, 0), *((w.before, max(w.reach, 0)) for w in (rows, columns)), (0, 0)])
    averaged = _pool(builder, "AVERAGE_POOL_2D", x, rows, columns, VALID)
    counted = np.outer(_counted(rows, counts_pads), _counted(columns, counts_pads))
    factor = (rows.kernel * columns.kernel / counted).astype(np.float32)
    if (factor == 1).all():
        return averaged
    return builder.elementwise("MUL", averaged, builder.constant(factor.reshape(1, rows.out, columns.out, 1)))


def _counted(window: AxisWindow, counts_pads: bool) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How many values each position divides by; what ceil_mode reaches beyond the pads never counts."""
    first = np.arange(window.out) * window.stride - window.before
    low, high = (-window.before, window.length + window.after) if counts_pads else (0, window.length)
    counted: np.ndarray[tuple[int], np.dtype[np.int64]] = np.minimum(first + window.kernel, high) - np.maximum(
        first, low
    )
    return counted
