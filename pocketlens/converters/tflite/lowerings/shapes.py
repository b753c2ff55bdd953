"""Operators that move values without computing: reshapes, slices, splits, concatenations, transposes, gathers."""

import math

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_gather
from pocketlens.converters.lowering import integers, needs_constants, rank, shape
from pocketlens.converters.rewrites.spread_constants import LARGE
from pocketlens.converters.tflite import layout
from pocketlens.converters.tflite.builder import Tensor, TFLiteBuilder
from pocketlens.converters.tflite.lowerings.normalization import group_norm_back, is_group_view
from pocketlens.converters.tflite.registry import lowering


@lowering("Identity", "Dropout")
def identity(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """The same tensor."""
    return builder.get(node.inputs[0])


@lowering("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """A RESHAPE, between transposes where channels last change the order of the values; nothing around a group norm."""
    before, after = shape(node.inputs[0]), shape(node.outputs[0])
    x = builder.get(node.inputs[0])
    if is_group_view(node):
        return Tensor(x.name, after)  # never read, see is_group_view
    if normal := group_norm_back(builder, node):
        return normal
    return builder.reshape_graph(x, before, after)


@lowering("Transpose")
def transpose(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """A RESHAPE where only axes of length 1 move, else a TRANSPOSE: the one that the generator itself asks for."""
    before, after = shape(node.inputs[0]), shape(node.outputs[0])
    axes = len(before)
    permutation = hub.ints(node, "perm", tuple(reversed(range(axes))))
    x = builder.get(node.inputs[0])
    if layout.same_order(before, after, permutation):
        return builder.reshape(x, layout.shape(after))
    order = [layout.axis(permutation[layout.graph_axis(i, axes)], axes) for i in range(axes)]
    return builder.transpose(x, order)


@lowering("Concat")
def concat(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """CONCATENATION, nested."""
    axis = layout.axis(hub.integer(node, "axis", 0), rank(node.outputs[0]))
    return builder.concatenate([builder.get(value) for value in node.inputs], axis)


@lowering("Split")
def split(builder: TFLiteBuilder, node: ir.Node) -> list[Tensor]:
    """One SLICE an output: unlike SPLIT, XNNPACK takes it for any number of uneven parts."""
    x = builder.get(node.inputs[0])
    axis = layout.axis(hub.integer(node, "axis", 0), len(x.shape))
    parts, start = [], 0
    for value in node.outputs:
        length = layout.shape(shape(value))[axis]
        parts.append(builder.slice_axis(x, axis, start, length))
        start += length
    return parts


@lowering("Gather", check=check_gather, needs="indices of at most one axis")
def gather(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """GATHER of indices, for instance of channels in another order, or of a table's entries by computed places."""
    before, indices = shape(node.inputs[0]), integers(node, 1)
    x = builder.get(node.inputs[0])
    graph_axis = hub.integer(node, "axis", 0) % len(before)
    length, axis = before[graph_axis], layout.axis(graph_axis, len(before))
    if indices is None:
        places = builder.reshape(builder.get(node.inputs[1]), (math.prod(shape(node.inputs[1])),))
    else:
        places = builder.integers([index % length for index in indices])
    kept = (*before[:graph_axis], *places.shape, *before[graph_axis + 1 :])
    gathered = builder.add("GATHER", [x, places], layout.shape(kept), axis=axis, dtype=x.dtype.type)
    return builder.reshape_graph(gathered, kept, shape(node.outputs[0]))


@lowering("Slice", check=lambda node: needs_constants(node, "its bounds are", 1, 2, 3, 4), needs="constant bounds")
def slice_(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """SLICE, or STRIDED_SLICE (which leaves XNNPACK) where a step is not 1."""
    x = builder.get(node.inputs[0])
    starts, ends = integers(node, 1), integers(node, 2)
    assert starts is not None and ends is not None
    axes = integers(node, 3) or tuple(range(len(starts)))
    steps = integers(node, 4) or (1,) * len(starts)
    spans = [(0, n, 1) for n in x.shape]
    for start, end, graph_axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = layout.axis(graph_axis, len(x.shape))
        spans[axis] = slice(start, end, step).indices(x.shape[axis])
    out = layout.shape(shape(node.outputs[0]))
    begin = [first for first, _, _ in spans]
    if all(step == 1 for _, _, step in spans):
        if out == x.shape:
            return x
        return builder.add("SLICE", [x, builder.integers(begin), builder.integers(out)], out, dtype=x.dtype.type)
    # An end before the first value is written -1 in Python; TFLite would count that from the end: its mask says "all".
    open_ends = sum(1 << axis for axis, (_, last, _) in enumerate(spans) if last < 0)
    ends_and_steps = [
        builder.integers([last for _, last, _ in spans]),
        builder.integers([step for _, _, step in spans]),
    ]
    inputs = [x, builder.integers(begin), *ends_and_steps]
    return builder.add("STRIDED_SLICE", inputs, out, endMask=open_ends, dtype=x.dtype.type)


@lowering("Expand")
def expand(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """A product with ones: unlike BROADCAST_TO, every delegate knows it.

    Over a large picture it is one with a row of ones, then one with a column, so that the file holds no picture.
    """
    out = shape(node.outputs[0])
    x, target = builder.operand(node.inputs[0], len(out)), layout.shape(out)
    if x.shape == target:
        return x
    if math.prod(target) < LARGE:
        return builder.elementwise("MUL", x, builder.constant(np.ones(target, np.float32)))
    if x.data is not None:  # a single number is held without axes
        x = builder.constant(x.data.reshape((1,) * (len(target) - x.data.ndim) + x.data.shape))
    *others, last = (axis for axis, length in enumerate(x.shape) if length != target[axis])
    for axis in others:
        if x.data is None:
            x = builder.elementwise("MUL", x, _ones(builder, axis, target))
        else:
            x = builder.constant(np.repeat(x.data, target[axis], axis))
    return builder.elementwise("MUL", x, _ones(builder, last, target))


def _ones(builder: TFLiteBuilder, axis: int, shape: tuple[int, ...]) -> Tensor:
    return builder.constant(np.ones([length if i == axis else 1 for i, length in enumerate(shape)], np.float32))
