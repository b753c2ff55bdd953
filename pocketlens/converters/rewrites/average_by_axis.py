"""A picture of few channels is averaged along its rows and along its columns, one after the other."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

MAX_CHANNELS = 4
"""With more, a runtime's own kernel computes channels side by side."""
MAX_LENGTH = 256
"""Of an axis along which overlapping windows are a matrix: its products grow with the square of the length."""


class AverageByAxis(NodePass):
    """Compute AveragePool along one axis after the other.

    Exact: the mean of a rectangle is the mean of the means of its columns (only the order of sums changes). Kernels for
    pooling go through the window of each pixel, unless there are many channels.

    - Windows that do not overlap are two ReduceMean, each behind a Reshape. The first reads whole rows, as they lie in
      memory. It needs windows as large as their strides, which fill the picture, and no pads.
    - Windows that overlap, with a stride of 1, are two products with a matrix that holds each window's weights. What
      lies beyond the edge has none; how many positions count is a product of those along both axes. It needs axes of at
      most :data:`MAX_LENGTH`.

    Both need two spatial axes, no dilation and at most :data:`MAX_CHANNELS` channels.
    """

    operators = ("AveragePool",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        before, after = edit.shape_of(node.inputs[0]), edit.shape_of(node.outputs[0])
        if before is None or after is None or len(before) != 4 or before[1] > MAX_CHANNELS:
            return False
        if any(d != 1 for d in hub.ints(node, "dilations", ())) or hub.text(node, "auto_pad", "NOTSET") != "NOTSET":
            return False
        editor, kernel = edit.Editor(model, node), hub.ints(node, "kernel_shape", ())
        strides, pads = hub.ints(node, "strides", (1, 1)), hub.ints(node, "pads", (0, 0, 0, 0))
        x = node.inputs[0]
        assert x is not None
        if kernel == strides and not any(pads) and before[2:] == (after[2] * kernel[0], after[3] * kernel[1]):
            x = _apart(editor, x, before, after)
        elif strides == (1, 1) and max(before[2:]) <= MAX_LENGTH and min(pads) >= 0 and _fits(before, after, node):
            x = _overlapping(editor, x, after, [_windows(node, axis, before[axis + 2]) for axis in (0, 1)])
        else:
            return False
        edit.replace(node.outputs[0], x)
        return True


def _apart(editor: edit.Editor, x: ir.Value, before: tuple[int, ...], after: tuple[int, ...]) -> ir.Value:
    rows = before[0] * before[1] * after[2]
    axes = editor.constant(np.array([1], np.int64), "axis")
    for shape in ((rows, before[2] // after[2], before[3]), (rows * after[3], before[3] // after[3])):
        x = editor.reshape(x, shape)
        x = editor.add("ReduceMean", [x, axes], (shape[0], *shape[2:]), [ir.AttrInt64("keepdims", 0)])
    return editor.reshape(x, after)


def _overlapping(
    editor: edit.Editor, x: ir.Value, after: tuple[int, ...], matrices: list[NDArray[np.float32]]
) -> ir.Value:
    down, across = matrices
    x = editor.add("MatMul", [editor.shared_constant(down, "down"), x], (*after[:3], across.shape[1]))
    return editor.add("MatMul", [x, editor.shared_constant(np.ascontiguousarray(across.T), "across")], after)


def _windows(node: ir.Node, axis: int, length: int) -> NDArray[np.float32]:
    """How much of each position every window takes: ``float32 [windows, length]``."""
    kernel, pads = hub.ints(node, "kernel_shape", ())[axis], hub.ints(node, "pads", (0, 0, 0, 0))
    starts = np.arange(pads[axis] + length + pads[axis + 2] - kernel + 1)[:, None] - pads[axis]
    at = np.arange(length)
    inside = ((at >= starts) & (at < starts + kernel)).astype(np.float32)
    counted = kernel if hub.integer(node, "count_include_pad", 0) else inside.sum(1, keepdims=True)
    weights: NDArray[np.float32] = inside / np.float32(counted)
    return weights


def _fits(before: tuple[int, ...], after: tuple[int, ...], node: ir.Node) -> bool:
    """Whether each axis has as many windows as :func:`_windows` gives: no window hangs over the pads."""
    kernel, pads = hub.ints(node, "kernel_shape", ()), hub.ints(node, "pads", (0, 0, 0, 0))
    grown = [before[axis + 2] + pads[axis] + pads[axis + 2] - kernel[axis] + 1 for axis in (0, 1)]
    return tuple(grown) == after[2:]
