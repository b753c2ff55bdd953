"""What moves values without computing: reshapes, slices, splits, concatenations, transposes."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.tflite import layout
from pocketlens.converters.tflite.draft import Draft, Refused, Tensor
from pocketlens.converters.tflite.lowerings.norm import group_norm_back, group_view
from pocketlens.converters.tflite.registry import lowers


@lowers("Identity", "Dropout")
def identity(draft: Draft, node: ir.Node) -> Tensor:
    """The same tensor."""
    return draft.of(node.inputs[0])


@lowers(
    "Reshape",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
)
def reshape(draft: Draft, node: ir.Node) -> Tensor:
    """A RESHAPE, between transposes where channels last change the order of the values; nothing around a group norm."""
    source = node.inputs[0]
    assert source is not None
    before, after = hub.static_shape(source), hub.static_shape(node.outputs[0])
    x = draft.of(source)
    if group_view(node):
        return Tensor(x.name, after)  # never read, see group_view
    if normal := group_norm_back(draft, node):
        return normal
    return draft.reshape_graph(x, before, after)


@lowers("Transpose")
def transpose(draft: Draft, node: ir.Node) -> Tensor:
    """A RESHAPE where only axes of length 1 move, else a TRANSPOSE: the one that the generator itself asks for."""
    source = node.inputs[0]
    assert source is not None
    before, after = hub.static_shape(source), hub.static_shape(node.outputs[0])
    rank = len(before)
    permutation = hub.ints(node, "perm", tuple(reversed(range(rank))))
    x = draft.of(source)
    if layout.same_order(before, after, permutation):
        return draft.reshape(x, layout.shape(after))
    moved = [layout.axis(permutation[layout.graph_axis(i, rank)], rank) for i in range(rank)]
    return draft.transpose(x, moved)


@lowers("Concat")
def concat(draft: Draft, node: ir.Node) -> Tensor:
    """CONCATENATION, nested."""
    rank = len(hub.static_shape(node.outputs[0]))
    return draft.join([draft.of(value) for value in node.inputs], layout.axis(hub.integer(node, "axis", 0), rank))


@lowers("Split")
def split(draft: Draft, node: ir.Node) -> list[Tensor]:
    """One SLICE an output: unlike SPLIT, XNNPACK takes it for any number of uneven parts."""
    x = draft.of(node.inputs[0])
    rank = len(x.shape)
    wanted = hub.integer(node, "axis", 0)
    axis = layout.axis(wanted, rank)
    parts, start = [], 0
    for value in node.outputs:
        length = hub.static_shape(value)[wanted % rank]
        parts.append(draft.cut(x, axis, start, length))
        start += length
    return parts


@lowers("Gather", needs="constant places of at most one axis")
def gather(draft: Draft, node: ir.Node) -> Tensor:
    """GATHER of constant places, for instance of channels in another order."""
    source, places = node.inputs[0], constant(node.inputs[1])
    assert source is not None
    if places is None:
        raise Refused("its places are computed, not constant")
    if places.ndim > 1:
        raise Refused(f"its places have {places.ndim} axes, and may have one")
    before = hub.static_shape(source)
    wanted = hub.integer(node, "axis", 0) % len(before)
    axis = layout.axis(wanted, len(before))
    kept = (*before[:wanted], places.size, *before[wanted + 1 :])
    indices = draft.integers([int(place) % before[wanted] for place in places.reshape(-1)])
    found = draft.add("GATHER", [draft.of(source), indices], layout.shape(kept), axis=axis)
    return draft.reshape_graph(found, kept, hub.static_shape(node.outputs[0]))


@lowers("Slice", needs="constant bounds")
def slice_(draft: Draft, node: ir.Node) -> Tensor:
    """SLICE, or STRIDED_SLICE (which leaves XNNPACK) where a step is not 1."""
    given = [constant(value) for value in node.inputs[1:] if value is not None]
    if any(array is None for array in given):
        raise Refused("its bounds are computed, not constant")
    x = draft.of(node.inputs[0])
    rank = len(x.shape)
    lists = [np.asarray(array).reshape(-1).tolist() for array in given]
    starts, ends = lists[0], lists[1]
    axes = lists[2] if len(lists) > 2 else list(range(len(starts)))
    steps = lists[3] if len(lists) > 3 else [1] * len(starts)
    spans = [(0, n, 1) for n in x.shape]
    for start, end, graph_axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = layout.axis(graph_axis, rank)
        spans[axis] = slice(start, end, step).indices(x.shape[axis])
    out = layout.shape(hub.static_shape(node.outputs[0]))
    begin = [first for first, _, _ in spans]
    if all(step == 1 for _, _, step in spans):
        if out == x.shape:
            return x
        return draft.add("SLICE", [x, draft.integers(begin), draft.integers(out)], out)
    # An end before the first value is written -1 in Python; TFLite would count that from the end: its mask says "all".
    open_ends = sum(1 << axis for axis, (_, last, _) in enumerate(spans) if last < 0)
    ends_and_steps = [draft.integers([last for _, last, _ in spans]), draft.integers([step for _, _, step in spans])]
    return draft.add("STRIDED_SLICE", [x, draft.integers(begin), *ends_and_steps], out, endMask=open_ends)


@lowers("Expand")
def expand(draft: Draft, node: ir.Node) -> Tensor:
    """A product with ones: unlike BROADCAST_TO, every delegate knows it."""
    out = hub.static_shape(node.outputs[0])
    x = draft.operand(node.inputs[0], len(out))
    if x.shape == layout.shape(out):
        return x
    return draft.elementwise("MUL", x, draft.constant(np.ones(layout.shape(out), np.float32)))
