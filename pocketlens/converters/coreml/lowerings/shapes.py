"""Operators that move values about without computing."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.registry import (
    MAX_RANK,
    Scope,
    Var,
    floats,
    integers,
    lowering,
    needs_constants,
    needs_rank,
    rank,
    shape,
    vector,
)


@lowering("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(scope: Scope, node: ir.Node) -> Var:
    """All four are a reshape once the shape is fixed; of six axes the first, of length 1, is left out."""
    return scope.op("reshape", x=scope.get(node.inputs[0]), shape=vector(shape(node.outputs[0])[-MAX_RANK:]))


def _order(node: ir.Node) -> tuple[int, ...]:
    return hub.ints(node, "perm", tuple(reversed(range(rank(node.inputs[0])))))


def _check_transpose(node: ir.Node) -> str:
    moved = rank(node.inputs[0]) > MAX_RANK and _order(node)[0] != 0
    return "it moves the first of six axes" if moved else ""


@lowering("Transpose", check=_check_transpose, needs="of six axes the first stays")
def transpose(scope: Scope, node: ir.Node) -> Var:
    """``transpose``; reversed axes by default. Six axes are torch's pixel_unshuffle, whose first stays where it is."""
    order = _order(node)
    if len(order) > MAX_RANK:
        order = tuple(axis - 1 for axis in order[1:])
    return scope.op("transpose", x=scope.get(node.inputs[0]), perm=vector(order))


@lowering("Expand", check=lambda node: needs_constants(node, 1), needs="a constant shape")
def expand(scope: Scope, node: ir.Node) -> Var:
    """``tile``."""
    return scope.spread(node.inputs[0], shape(node.outputs[0]))


@lowering("Concat")
def concat(scope: Scope, node: ir.Node) -> Var:
    """``concat``."""
    axis = hub.integer(node, "axis", 0) % rank(node.outputs[0])
    values = [scope.get(value) for value in node.inputs]
    return scope.op("concat", values=values, axis=np.int32(axis), interleave=False)


def _slices(node: ir.Node) -> list[slice]:
    lengths = shape(node.inputs[0])
    starts, ends = integers(node, 1), integers(node, 2)
    assert starts is not None and ends is not None
    axes = integers(node, 3) or tuple(range(len(starts)))
    steps = integers(node, 4) or (1,) * len(starts)
    found = [slice(0, length, 1) for length in lengths]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        length = lengths[axis]
        found[axis] = slice(*slice(start, end, step).indices(length))
    return found


@lowering("Slice", check=lambda node: needs_constants(node, 1, 2, 3, 4), needs="constant bounds")
def slice_(scope: Scope, node: ir.Node) -> Var:
    """``slice_by_index`` with every start and end spelled out; backwards the same values forwards, and ``reverse``."""
    chosen = [range(s.start, s.stop, s.step) for s in _slices(node)]
    back = [axis for axis, values in enumerate(chosen) if values.step < 0]
    forwards = [values[::-1] if values.step < 0 else values for values in chosen]
    found = scope.op(
        "slice_by_index",
        x=scope.get(node.inputs[0]),
        begin=vector([values.start for values in forwards]),
        end=vector([values.stop for values in forwards]),
        stride=vector([values.step for values in forwards]),
    )
    return scope.op("reverse", x=found, axes=vector(back)) if back else found


@lowering("Split", check=lambda node: needs_constants(node, 1), needs="constant sizes")
def split(scope: Scope, node: ir.Node) -> Var:
    """``split`` into the sizes that the outputs have."""
    axis = hub.integer(node, "axis", 0) % rank(node.inputs[0])
    sizes = [shape(output)[axis] for output in node.outputs]
    x = scope.get(node.inputs[0])
    if len(sizes) == 1:
        return scope.op("identity", x=x)
    return scope.op("split", x=x, split_sizes=vector(sizes), axis=np.int32(axis))


def _check_gather(node: ir.Node) -> str:
    if reason := needs_constants(node, 1):
        return reason
    return "" if rank(node.inputs[1]) <= 1 else f"its indices have {rank(node.inputs[1])} axes, and may have one"


@lowering("Gather", check=_check_gather, needs="constant places of at most one axis")
def gather(scope: Scope, node: ir.Node) -> Var:
    """``gather`` of constant places, for instance of channels in another order."""
    axis = hub.integer(node, "axis", 0) % rank(node.inputs[0])
    length = shape(node.inputs[0])[axis]
    places = integers(node, 1)
    assert places is not None
    y = scope.op(
        "gather",
        x=scope.get(node.inputs[0]),
        indices=vector([place % length for place in places]),
        axis=np.int32(axis),
    )
    return scope.op("reshape", x=y, shape=vector(shape(node.outputs[0]))) if rank(node.inputs[1]) == 0 else y


_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


def _pads(node: ir.Node) -> list[tuple[int, int]]:
    pads = hub.pads(node)
    assert pads is not None
    return pads


def _check_pad(node: ir.Node) -> str:
    if reason := needs_constants(node, 1, 2, 3):
        return reason
    mode = hub.text(node, "mode", "constant")
    if mode not in _MODES:
        return f"its mode is {mode!r}, and has to be one of {', '.join(_MODES)}"
    pads = _pads(node)
    if any(before < 0 or after < 0 for before, after in pads):
        return f"it pads by a negative number: {pads}"
    if mode != "constant" and any(pair != (0, 0) for pair in pads[:-2]):
        return f"it pads by {mode} outside height and width"
    return ""


@lowering(
    "Pad",
    check=_check_pad,
    needs="constant pads and value, none negative; constant, or reflect and edge of height and width",
)
def pad(scope: Scope, node: ir.Node) -> Var:
    """``pad`` by a constant, by reflection, or by the edge; the latter two take height and width alone."""
    mode = _MODES[hub.text(node, "mode", "constant")]
    pads = _pads(node)
    chosen = pads if mode == "constant" else pads[-2:]
    value = floats(node, 2)
    return scope.op(
        "pad",
        x=scope.get(node.inputs[0]),
        pad=vector(amount for pair in chosen for amount in pair),
        mode=mode,
        constant_val=np.float32(0 if value is None else value.item()),
    )


@lowering("DepthToSpace", check=lambda node: needs_rank(node, 4), needs="four axes")
def depth_to_space(scope: Scope, node: ir.Node) -> Var:
    """CRD is torch's ``pixel_shuffle``, DCR is TensorFlow's ``depth_to_space``; MIL has both."""
    x, block = scope.get(node.inputs[0]), np.int32(hub.integer(node, "blocksize", 1))
    if hub.text(node, "mode", "DCR") == "CRD":
        return scope.op("pixel_shuffle", x=x, upscale_factor=block)
    return scope.op("depth_to_space", x=x, block_size=block)


@lowering("SpaceToDepth", check=lambda node: needs_rank(node, 4), needs="four axes")
def space_to_depth(scope: Scope, node: ir.Node) -> Var:
    """TensorFlow's order of channels, as in ONNX."""
    block = np.int32(hub.integer(node, "blocksize", 1))
    return scope.op("space_to_depth", x=scope.get(node.inputs[0]), block_size=block)
