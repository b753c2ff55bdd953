"""Operators that move values without computing: reshapes, slices, splits, concatenations, transposes, gathers."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_gather, gathered, slice_ranges
from pocketlens.converters.constants import constant
from pocketlens.converters.coreml.builder import MILBuilder, Var, vector
from pocketlens.converters.coreml.registry import MAX_RANK, lowering
from pocketlens.converters.lowering import needs_constants, rank, shape
from pocketlens.converters.rewrites.spread_constants import is_spread_for_concat


@lowering("Identity", "Dropout")
def identity(builder: MILBuilder, node: ir.Node) -> Var:
    """An operation of its own, so that a graph output keeps its name; coremltools drops it elsewhere."""
    return builder.add("identity", x=builder.get(node.inputs[0]))


@lowering("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(builder: MILBuilder, node: ir.Node) -> Var:
    """All four are a reshape once the shape is fixed; of six axes the first, of length 1, is left out."""
    return builder.add("reshape", x=builder.get(node.inputs[0]), shape=vector(shape(node.outputs[0])[-MAX_RANK:]))


def _order(node: ir.Node) -> tuple[int, ...]:
    return hub.ints(node, "perm", tuple(reversed(range(rank(node.inputs[0])))))


def _check_transpose(node: ir.Node) -> str:
    moves_first = rank(node.inputs[0]) > MAX_RANK and _order(node)[0] != 0
    return "it moves the first of six axes" if moves_first else ""


@lowering("Transpose", check=_check_transpose, needs="of six axes the first stays")
def transpose(builder: MILBuilder, node: ir.Node) -> Var:
    """``transpose``; reversed axes by default. Six axes are torch's pixel_unshuffle, whose first stays where it is."""
    order = _order(node)
    if len(order) > MAX_RANK:
        order = tuple(axis - 1 for axis in order[1:])
    return builder.add("transpose", x=builder.get(node.inputs[0]), perm=vector(order))


@lowering("Expand", check=lambda node: needs_constants(node, "its shape is", 1), needs="a constant shape")
def expand(builder: MILBuilder, node: ir.Node) -> Var:
    """``tile``; of a few numbers that are spread over the picture too, see
    :func:`~pocketlens.converters.coreml.weights.pass_pipeline`.
    """
    numbers = builder.get(node.inputs[0])
    if isinstance(numbers, np.ndarray) and is_spread_for_concat(node):
        target = shape(node.outputs[0])
        numbers = numbers.reshape((1,) * (len(target) - numbers.ndim) + numbers.shape)
        times = [after // before for before, after in zip(numbers.shape, target, strict=True)]
        return builder.add("tile", x=numbers, reps=vector(times))
    return builder.broadcast(node.inputs[0], shape(node.outputs[0]))


@lowering("Concat")
def concat(builder: MILBuilder, node: ir.Node) -> Var:
    """``concat``."""
    axis = hub.integer(node, "axis", 0) % rank(node.outputs[0])
    values = [builder.get(value) for value in node.inputs]
    return builder.add("concat", values=values, axis=np.int32(axis), interleave=False)


@lowering("Slice", check=lambda node: needs_constants(node, "its bounds are", 1, 2, 3, 4), needs="constant bounds")
def slice_(builder: MILBuilder, node: ir.Node) -> Var:
    """``slice_by_index`` with every start and end made explicit; a negative step slices forwards and reverses."""
    ranges = slice_ranges(node)
    reversed_axes = [axis for axis, values in enumerate(ranges) if values.step < 0]
    forwards = [values[::-1] if values.step < 0 else values for values in ranges]
    sliced = builder.add(
        "slice_by_index",
        x=builder.get(node.inputs[0]),
        begin=vector([values.start for values in forwards]),
        end=vector([values.stop for values in forwards]),
        stride=vector([values.step for values in forwards]),
    )
    return builder.add("reverse", x=sliced, axes=vector(reversed_axes)) if reversed_axes else sliced


@lowering("Split", check=lambda node: needs_constants(node, "its sizes are", 1), needs="constant sizes")
def split(builder: MILBuilder, node: ir.Node) -> list[Var]:
    """``split`` into the sizes that the outputs have."""
    axis = hub.integer(node, "axis", 0) % rank(node.inputs[0])
    sizes = [shape(output)[axis] for output in node.outputs]
    x = builder.get(node.inputs[0])
    if len(sizes) == 1:
        return [builder.add("identity", x=x)]
    return list(builder.add("split", x=x, split_sizes=vector(sizes), axis=np.int32(axis)))


@lowering("Gather", check=check_gather, needs="indices of at most one axis")
def gather(builder: MILBuilder, node: ir.Node) -> Var:
    """``gather`` of indices, for instance of channels in another order, or of a table's entries by computed places."""
    x = builder.get(node.inputs[0])
    if constant(node.inputs[1]) is None:
        axis = hub.integer(node, "axis", 0) % rank(node.inputs[0])
        return builder.add("gather", x=x, indices=builder.get(node.inputs[1]), axis=np.int32(axis))
    axis, indices = gathered(node)
    y = builder.add(
        "gather",
        x=x,
        indices=vector(indices),
        axis=np.int32(axis),
    )
    return builder.add("reshape", x=y, shape=vector(shape(node.outputs[0]))) if rank(node.inputs[1]) == 0 else y
