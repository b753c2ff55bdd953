"""Average and maximum pooling."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var, unsigned
from pocketlens.converters.coreai.lowerings.convolution import pad_spatial
from pocketlens.converters.coreai.registry import lowering
from pocketlens.converters.lowering import needs_rank, shape
from pocketlens.converters.windows import SpatialWindow, pool_window


def _check(node: ir.Node) -> str:
    if reason := needs_rank(node, 4):
        return reason
    if len(node.outputs) > 1:
        return "its indices are an output too"
    return ""


def _pads(node: ir.Node, window: SpatialWindow) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns before and after; at the end as many as ``ceil_mode`` reads."""
    sides = []
    for axis in range(2):
        length, out = shape(node.inputs[0])[2 + axis], shape(node.outputs[0])[2 + axis]
        before, after = window.pads[axis], window.pads[axis + 2]
        read = (out - 1) * window.strides[axis] + window.reach[axis]
        sides.append((before, max(after, read - length - before)))
    return sides[0], sides[1]


@lowering("MaxPool", check=_check, needs="two spatial axes, one output")
def max_pool(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``maxpool2d`` of the picture between the lowest numbers."""
    window = pool_window(node)
    lowest = float(np.finfo(builder.dtype).min)
    x = pad_spatial(builder, builder.get(node.inputs[0]), *_pads(node, window), lowest)
    output = builder.ops.TensorType(shape(node.outputs[0]), builder.dtype)
    return builder.ops.maxpool2d(
        output, x, unsigned(window.kernel), unsigned(window.strides), unsigned(window.dilations), np.array(False)
    )


@lowering("AveragePool", check=_check, needs="two spatial axes, one output")
def average_pool(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``sumpool2d`` in float32, times what each window's count comes to; the counts are constants."""
    window = pool_window(node)
    x = pad_spatial(builder, builder.get(node.inputs[0]), *_pads(node, window), 0)
    dilations = builder.constants.array(unsigned(window.dilations))  # sumpool2d does not make one of an array
    sums = builder.ops.sumpool2d(builder.in_float32(x), unsigned(window.kernel), unsigned(window.strides), dilations)
    rows, columns = (_counts(node, window, axis) for axis in range(2))
    counts = rows[:, None] * columns[None, :]
    if (counts == counts[0, 0]).all():
        counts = counts[:1, :1]
    means = builder.ops.broadcasting_mul(sums, builder.floats(1 / counts[None, None], np.float32))
    return builder.from_float32(means)


def _counts(node: ir.Node, window: SpatialWindow, axis: int) -> NDArray[np.float64]:
    """How many values each position of the window averages along an axis: pads count if the node says so, what
    ``ceil_mode`` reads beyond them never does.
    """
    length, out = shape(node.inputs[0])[2 + axis], shape(node.outputs[0])[2 + axis]
    before, after = window.pads[axis], window.pads[axis + 2]
    low, high = (-before, length + after) if hub.integer(node, "count_include_pad", 0) else (0, length)
    starts = np.arange(out)[:, None] * window.strides[axis] - before
    positions = starts + np.arange(window.kernel[axis])[None, :] * window.dilations[axis]
    counts: NDArray[np.float64] = ((positions >= low) & (positions < high)).sum(1).astype(np.float64)
    return counts
