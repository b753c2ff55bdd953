"""Operators that move values without computing: reshapes, slices, splits, concatenations, transposes, gathers."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_gather, gathered, slice_ranges
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var, signed, unsigned
from pocketlens.converters.coreai.registry import lowering
from pocketlens.converters.lowering import needs_constants, rank, shape


@lowering("Identity", "Dropout")
def identity(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """The same variable."""
    return builder.get(node.inputs[0])


@lowering("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """All four are a reshape once the shape is fixed."""
    return builder.reshape(builder.get(node.inputs[0]), shape(node.outputs[0]))


@lowering("Transpose")
def transpose(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``transpose``; reversed axes by default."""
    order = hub.ints(node, "perm", tuple(reversed(range(rank(node.inputs[0])))))
    return builder.ops.transpose(builder.get(node.inputs[0]), unsigned(order))


@lowering("Expand", check=lambda node: needs_constants(node, "its shape is", 1), needs="a constant shape")
def expand(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``broadcast_to``."""
    to = shape(node.outputs[0])
    return builder.ops.broadcast_to(builder.operand(node.inputs[0], len(to)), unsigned(to))


@lowering("Concat")
def concat(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``concat``."""
    axis = hub.integer(node, "axis", 0) % rank(node.outputs[0])
    return builder.ops.concat(np.array(axis, np.int32), [builder.get(value) for value in node.inputs])


def _slice(builder: CoreAIBuilder, x: Var, ranges: Sequence[range]) -> Var:
    return builder.ops.slice_(
        x,
        signed(indices.start for indices in ranges),
        signed(indices.stop for indices in ranges),
        signed(indices.step for indices in ranges),
    )


@lowering("Slice", check=lambda node: needs_constants(node, "its bounds are", 1, 2, 3, 4), needs="constant bounds")
def slice_(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``slice_`` with every start and end made explicit; a negative step slices forwards and reverses."""
    ranges = slice_ranges(node)
    x = _slice(builder, builder.get(node.inputs[0]), [r[::-1] if r.step < 0 else r for r in ranges])
    turned = [axis for axis, indices in enumerate(ranges) if indices.step < 0]
    return builder.ops.reverse(x, signed(turned)) if turned else x


@lowering("Split", check=lambda node: needs_constants(node, "its sizes are", 1), needs="constant sizes")
def split(builder: CoreAIBuilder, node: ir.Node) -> list[Var]:
    """``split`` into the sizes that the outputs have."""
    axis = hub.integer(node, "axis", 0) % rank(node.inputs[0])
    sizes = unsigned(shape(output)[axis] for output in node.outputs)
    x = builder.get(node.inputs[0])
    return [x] if len(sizes) == 1 else list(builder.ops.split(x, sizes, np.array(axis, np.int32)))


def take(builder: CoreAIBuilder, x: Var, lengths: Sequence[int], indices: Sequence[int], axis: int) -> Var:
    """What lies at some indices of an axis: a slice where they are evenly spaced, else ``gather_nd``, which takes from
    the first axis.

    Args:
        builder: Adds the operations.
        x: The variable.
        lengths: Its shape.
        indices: None of them negative.
        axis: Which axis.
    """
    steps = set(np.diff(indices).tolist()) or {1}
    if len(steps) == 1 and (step := steps.pop()) > 0:
        ranges = [range(length) for length in lengths]
        ranges[axis] = range(indices[0], indices[-1] + 1, step)
        return _slice(builder, x, ranges)
    order = [axis, *(other for other in range(len(lengths)) if other != axis)]
    if axis:
        x = builder.ops.transpose(x, unsigned(order))
    x = builder.ops.gather_nd(x, builder.constants.array(signed(indices).reshape(-1, 1)))
    return builder.ops.transpose(x, unsigned(np.argsort(order).tolist())) if axis else x


@lowering("Gather", check=check_gather, needs="constant indices of at most one axis")
def gather(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """Constant indices, for instance of channels in another order."""
    axis, indices = gathered(node)
    y = take(builder, builder.get(node.inputs[0]), shape(node.inputs[0]), indices, axis)
    return builder.reshape(y, shape(node.outputs[0])) if rank(node.inputs[1]) == 0 else y
