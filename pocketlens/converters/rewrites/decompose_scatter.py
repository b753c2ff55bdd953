"""Putting values into places, as ``y[:, :, ::2, ::2] = x`` and masks of one channel do, without scattering."""

import math

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass


class DecomposeScatter(NodePass):
    """Replace ScatterND, ScatterElements, OneHot and Hardmax, which TFLite and Core ML do not take.

    Exact. Places that are constant and next to each other are a Concat of what lies around them and of what is put
    there; several that follow each other and name every value once, in strides, a Concat and a Transpose; all others a
    Gather of both tables. A place for each pixel along one axis, as ArgMax gives it, is compared with every place.
    Needs floats, fixed shapes, and no sum of what comes to one place.
    """

    operators = ("ScatterND", "ScatterElements", "OneHot", "Hardmax")
    backwards = True  # of several that follow each other the last one is taken first, with all the others

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        shape = edit.shape_of(node.outputs[0])
        if shape is None or any(value is not None and edit.shape_of(value) is None for value in node.inputs):
            return False
        editor = edit.Editor(model, node)
        result: ir.Value | None
        if node.op_type == "Hardmax":
            result = _hard_max(editor, node, shape)
        elif node.op_type == "OneHot":
            result = _one_hot(editor, node, shape)
        elif node.outputs[0].dtype != ir.DataType.FLOAT or hub.text(node, "reduction", "none") != "none":
            return False
        else:
            result = _placed(editor, node, shape) if _places(node) is not None else _by_pixel(editor, node, shape)
        if result is not None:
            edit.replace(node.outputs[0], result)
        return result is not None


def _hard_max(editor: edit.Editor, node: ir.Node, shape: tuple[int, ...]) -> ir.Value:
    axis = hub.integer(node, "axis", -1) % len(shape)
    attributes = [ir.AttrInt64("axis", axis), ir.AttrInt64("keepdims", 1)]
    place = editor.add("ArgMax", [node.inputs[0]], (*shape[:axis], 1, *shape[axis + 1 :]), attributes)
    place.type = ir.TensorType(ir.DataType.INT64)
    is_there = _compared(editor, place, axis, shape)
    return editor.cast(is_there, ir.DataType.FLOAT)


def _one_hot(editor: edit.Editor, node: ir.Node, shape: tuple[int, ...]) -> ir.Value | None:
    places, values = node.inputs[0], constant(node.inputs[2])
    if (
        places is None
        or values is None
        or values.dtype.kind != "f"
        or edit.producer(places, "ArgMax", "ArgMin") is None
    ):
        return None
    axis = hub.integer(node, "axis", -1) % len(shape)
    apart = editor.reshape(places, (*shape[:axis], 1, *shape[axis + 1 :]))
    apart.type = places.type
    is_there = _compared(editor, apart, axis, shape)
    low, high = (
        editor.constant(np.array(value, np.float32), f"value_{i}") for i, value in enumerate(values.reshape(-1))
    )
    return editor.add("Where", [is_there, high, low], shape)


def _by_pixel(editor: edit.Editor, node: ir.Node, shape: tuple[int, ...]) -> ir.Value | None:
    """ScatterElements by the place that ArgMax gives along the axis."""
    table, places, updates = node.inputs
    axis = hub.integer(node, "axis", 0) % len(shape)
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    if node.op_type != "ScatterElements" or edit.shape_of(places) != one or places is None or updates is None:
        return None
    if edit.producer(places, "ArgMax", "ArgMin") is None:
        return None
    return editor.add("Where", [_compared(editor, places, axis, shape), updates, table], shape)


def _compared(editor: edit.Editor, places: ir.Value, axis: int, shape: tuple[int, ...]) -> ir.Value:
    """Where the place of a pixel is the one along the axis."""
    along = np.arange(shape[axis], dtype=np.float32).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    numbers = editor.cast(places, ir.DataType.FLOAT)
    result = editor.add("Equal", [numbers, editor.constant(along, "along")], shape)
    result.type = ir.TensorType(ir.DataType.BOOL)
    return result


def _places(node: ir.Node) -> NDArray[np.int64] | None:
    """Where in the flat table each value of the updates comes to, in their shape; None where that is computed."""
    array, shape = constant(node.inputs[1]), edit.shape_of(node.inputs[0])
    updates = edit.shape_of(node.inputs[2])
    if array is None or shape is None or updates is None or hub.text(node, "reduction", "none") != "none":
        return None
    everything = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    if node.op_type == "ScatterND":
        index = tuple(np.moveaxis(array % np.array(shape[: array.shape[-1]]), -1, 0))
    else:
        axis = hub.integer(node, "axis", 0) % len(shape)
        index = tuple(array % shape[axis] if i == axis else along for i, along in enumerate(np.indices(array.shape)))
    places: NDArray[np.int64] = everything[index].reshape(updates)
    return places


def _placed(editor: edit.Editor, node: ir.Node, shape: tuple[int, ...]) -> ir.Value | None:
    scatters = [node]
    while (
        (before := edit.producer(scatters[-1].inputs[0], "ScatterND", "ScatterElements")) is not None
        and _places(before) is not None
        and edit.only_consumer(before.outputs[0]) is scatters[-1]
    ):
        scatters.append(before)
    box = _box(node, shape)
    if len(scatters) == 1 and box is not None:
        return _surrounded(editor, node, shape, box)
    base = scatters[-1].inputs[0]
    sources = np.arange(math.prod(shape), dtype=np.int64)
    updates: list[ir.Value] = []
    end = len(sources)
    for scatter in reversed(scatters):
        places, update = _places(scatter), scatter.inputs[2]
        if places is None or update is None or len(np.unique(places)) < places.size:
            return None
        sources[places.reshape(-1)] = end + np.arange(places.size)
        end += places.size
        updates.append(update)
    if base is None:
        return None
    parts = [base, *updates]
    if sources.min() >= len(sources):
        sources, parts = sources - len(sources), updates
    table = editor.concat([editor.reshape(part, (math.prod(edit.shape_of(part) or ()),)) for part in parts], 0)
    length = hub.static_shape(table)[0]
    turned = _transposed(editor, table, sources.reshape(shape)) if length == len(sources) else None
    if turned is not None:
        return editor.reshape(turned, shape)
    flat = editor.add("Gather", [table, editor.constant(sources, "places")], (len(sources),), [ir.AttrInt64("axis", 0)])
    return editor.reshape(flat, shape)


def _box(node: ir.Node, shape: tuple[int, ...]) -> list[tuple[int, int]] | None:
    """The part of the table, along each axis, that the updates fill in their order; None where it is no such part."""
    places = _places(node)
    if places is None or not places.size:
        return None
    first, last = (np.unravel_index(int(place), shape) for place in (places.min(), places.max()))
    box = [(int(a), int(b) + 1) for a, b in zip(first, last, strict=True)]
    everything = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    inside = everything[tuple(slice(*bounds) for bounds in box)].reshape(-1)
    return box if np.array_equal(inside, places.reshape(-1)) else None


def _surrounded(
    editor: edit.Editor, node: ir.Node, shape: tuple[int, ...], box: list[tuple[int, int]]
) -> ir.Value | None:
    """What lies around the box, and the updates in it, put together from the last axis to the first."""
    table, updates = node.inputs[0], node.inputs[2]
    if table is None or updates is None:
        return None
    result = editor.reshape(updates, tuple(end - start for start, end in box))
    for axis in reversed(range(len(shape))):
        start, end = box[axis]
        around = [*box[:axis], (0, 0), *((0, length) for length in shape[axis + 1 :])]
        pieces = [result]
        for place, bounds in ((0, (0, start)), (1, (end, shape[axis]))):
            if bounds[0] < bounds[1]:
                around[axis] = bounds
                pieces.insert(place * len(pieces), editor.cut(table, around, f"{axis}_{place}"))
        result = editor.concat(pieces, axis)
    return result


def _transposed(editor: edit.Editor, table: ir.Value, sources: NDArray[np.int64]) -> ir.Value | None:
    """A flat table whose values are named once each, in strides that repeat: a Transpose of a view of it."""
    lengths: list[int] = []
    strides: list[int] = []
    for axis, length in enumerate(sources.shape):
        line = np.moveaxis(sources, axis, 0).reshape(length, -1)[:, 0]
        period = next(p for p in range(1, length + 1) if length % p == 0 and _repeats(line, p))
        for count, step in ((length // period, period), (period, 1)):
            if count > 1:
                lengths.append(count)
                strides.append(int(line[step] - line[0]))
    ranked = sorted(range(len(lengths)), key=lambda axis: -strides[axis])
    view = [lengths[axis] for axis in ranked]
    order = [ranked.index(axis) for axis in range(len(lengths))]
    named = np.arange(sources.size).reshape(view).transpose(order).reshape(sources.shape)
    if not np.array_equal(named, sources):
        return None
    after = tuple(lengths)
    return editor.add("Transpose", [editor.reshape(table, view)], after, [ir.AttrInt64s("perm", order)])


def _repeats(line: NDArray[np.int64], period: int) -> bool:
    """Whether a line is made of equal blocks, each as far from the one before, evenly spaced within where there are
    more than two.
    """
    blocks = line.reshape(-1, period)
    inside = blocks - blocks[:, :1]
    starts, first = np.diff(blocks[:, 0]), np.diff(blocks[0])
    is_even = (len(starts) == 0 or (starts == starts[0]).all()) and (len(first) == 0 or (first == first[0]).all())
    return bool(is_even and (inside == inside[:1]).all())
