"""Taking values out by places: Gather with places of several axes, GatherElements and GatherND, as Gather along one."""

import math

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass


class DecomposeGather(NodePass):
    """Replace what takes values out of a table by a Gather along one axis, by places of one axis.

    Exact: places are flattened. GatherElements and GatherND name a place by a number for each axis; in a table whose
    axes are one, that place is the sum of these numbers times the distances between neighbours. Constant places that
    name every value once, in strides, are a Transpose. Needs floats and fixed shapes.
    """

    operators = ("Gather", "GatherElements", "GatherND")

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        x, places = node.inputs[:2]
        shapes = [edit.shape_of(value) for value in (x, places, node.outputs[0])]
        if x is None or places is None or x.dtype != ir.DataType.FLOAT or None in shapes:
            return False
        result = _KINDS[node.op_type](edit.Editor(model, node), node, x, places)
        if result is not None:
            edit.replace(node.outputs[0], result)
        return result is not None


def _by_flat_places(editor: edit.Editor, node: ir.Node, x: ir.Value, places: ir.Value) -> ir.Value | None:
    """A Gather by places of several axes: a Transpose where they name every value once, in strides, else a flat one."""
    before, after, named, array = shape(x), shape(node.outputs[0]), shape(places), constant(places)
    if len(named) < 2:
        return None
    if array is not None and len(before) == 1:
        order = _order_of(array % before[0], before[0])
        if order is not None:
            view = tuple(int(n) for n in np.array(array.shape)[np.argsort(order)])
            return editor.add("Transpose", [editor.reshape(x, view)], after, [ir.AttrInt64s("perm", order)])
    axis = hub.integer(node, "axis", 0) % len(before)
    if array is None:
        flat = _integers(places, editor.reshape(places, (math.prod(named),)))
    else:
        flat = editor.constant(array.reshape(-1).astype(np.int64), "places")
    return editor.reshape(_gather(editor, x, flat, axis), after)


def _elements(editor: edit.Editor, node: ir.Node, x: ir.Value, places: ir.Value) -> ir.Value | None:
    before, named = shape(x), shape(places)
    axis = hub.integer(node, "axis", 0) % len(before)
    steps = _steps(before)
    flat = _times(editor, _from_start(editor, places, before[axis], "axis"), steps[axis], "along")
    for other, length in enumerate(named):
        if other == axis or length == 1:
            continue
        along = np.arange(length, dtype=np.int64) * steps[other]
        moved = editor.constant(along.reshape([-1 if i == other else 1 for i in range(len(named))]), f"axis_{other}")
        flat = _integers(places, editor.add("Add", [flat, _like(editor, moved, places)], named))
    return _from_flat(editor, x, (math.prod(before),), places, flat, named)


def _entries(editor: edit.Editor, node: ir.Node, x: ir.Value, places: ir.Value) -> ir.Value | None:
    """GatherND: the last axis of the places names an entry by its place along each of the table's first axes."""
    before, named = shape(x), shape(places)
    count, rest = named[-1], before[named[-1] :]
    if hub.integer(node, "batch_dims", 0):
        return None
    steps = _steps(before[:count])
    table = (math.prod(before[:count]), *rest)
    array = constant(places)
    if array is not None:
        wrapped = array % np.array(before[:count])
        flat = editor.constant((wrapped * np.array(steps)).sum(-1).reshape(-1).astype(np.int64), "places")
        return editor.reshape(_gather(editor, editor.reshape(x, table), flat, 0), shape(node.outputs[0]))
    total: ir.Value | None = None
    for column, step in enumerate(steps):
        which = editor.constant(np.array([column], np.int64), f"column_{column}")
        one = editor.add("Gather", [places, which], (*named[:-1], 1), [ir.AttrInt64("axis", len(named) - 1)])
        one = _from_start(editor, _integers(places, one), before[column], f"column_{column}")
        one = _times(editor, one, step, f"step_{column}")
        total = one if total is None else _integers(places, editor.add("Add", [total, one], (*named[:-1], 1)))
    return None if total is None else _from_flat(editor, x, table, places, total, shape(node.outputs[0]))


def _from_flat(
    editor: edit.Editor, x: ir.Value, table: tuple[int, ...], places: ir.Value, flat: ir.Value, after: tuple[int, ...]
) -> ir.Value:
    flat = _integers(places, editor.reshape(flat, (math.prod(shape(flat)),)))
    return editor.reshape(_gather(editor, editor.reshape(x, table), flat, 0), after)


def _gather(editor: edit.Editor, x: ir.Value, flat: ir.Value, axis: int) -> ir.Value:
    before = shape(x)
    result = (*before[:axis], *shape(flat), *before[axis + 1 :])
    return editor.add("Gather", [x, flat], result, [ir.AttrInt64("axis", axis)])


def _from_start(editor: edit.Editor, places: ir.Value, length: int, name: str) -> ir.Value:
    """Places counted from the start: those below 0 count from the end, and get the length added."""
    known = constant(places)
    if known is not None:
        return editor.constant(known % length, f"{name}_places")
    after = shape(places)

    def number(value: int) -> ir.Value:
        return editor.constant(
            np.array(value, np.int32 if places.dtype == ir.DataType.INT32 else np.int64), f"{name}_{value}"
        )

    turned = _integers(places, editor.add("Mul", [places, number(-1)], after))
    below = _integers(
        places, editor.add("Clip", [turned, number(0), number(1)], after)
    )  # 1 where it counts from the end
    added = _integers(places, editor.add("Mul", [below, number(length)], after)) if length > 1 else below
    return _integers(places, editor.add("Add", [places, added], after))


def _times(editor: edit.Editor, places: ir.Value, step: int, name: str) -> ir.Value:
    if step == 1:
        return places
    factor = _like(editor, editor.constant(np.array([step], np.int64), name), places)
    return _integers(places, editor.add("Mul", [places, factor], shape(places)))


def _like(editor: edit.Editor, number: ir.Value, places: ir.Value) -> ir.Value:
    """A constant of int64 in the type of the places."""
    if places.dtype != ir.DataType.INT32:
        return number
    array = constant(number)
    assert array is not None
    return editor.constant(array.astype(np.int32), f"{number.name}_32")


def _integers(places: ir.Value, value: ir.Value) -> ir.Value:
    """A value that the editor has made, in the type of the places."""
    value.dtype = places.dtype or ir.DataType.INT64
    return value


def _steps(lengths: tuple[int, ...]) -> list[int]:
    """How far apart neighbours along each axis are."""
    return [math.prod(lengths[i + 1 :]) for i in range(len(lengths))]


def shape(value: ir.Value) -> tuple[int, ...]:
    """A shape that is known."""
    known = edit.shape_of(value)
    assert known is not None
    return known


def _order_of(places: np.ndarray, length: int) -> list[int] | None:
    """Where each axis of the places stands in memory, if they are a transposed view of all that there is."""
    if places.size != length:
        return None
    strides = [int(places.take(1, axis).reshape(-1)[0] - places.reshape(-1)[0]) if n > 1 else 0
               for axis, n in enumerate(places.shape)]  # fmt: skip
    ranked = sorted(range(places.ndim), key=lambda axis: (-strides[axis], axis))
    view = np.arange(length).reshape([places.shape[axis] for axis in ranked])
    order = [ranked.index(axis) for axis in range(places.ndim)]
    return order if np.array_equal(view.transpose(order), places) else None


_KINDS = {"Gather": _by_flat_places, "GatherElements": _elements, "GatherND": _entries}
