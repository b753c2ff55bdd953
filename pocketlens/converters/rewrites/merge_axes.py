"""Operators on more axes than targets take work on axes that are merged."""

import math

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

MAX_AXES = 5
"""Most axes that every target takes."""
_BROADCASTING = ("Add", "Div", "Max", "Min", "Mul", "Pow", "Sub")
_REDUCTIONS = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum")


class MergeAxes(NodePass):
    """Merge neighbouring axes of operators that have more than :data:`MAX_AXES`.

    Exact: values keep their places in memory. Axes of a sum or product merge where each operand either has both or is
    spread over both; axes of a reduction where both go or both stay. A Gather of the only entry of an axis is a
    Reshape, whatever its rank.
    """

    operators = (*_BROADCASTING, *_REDUCTIONS, "Gather")

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        before, after = edit.shape_of(node.inputs[0]), edit.shape_of(node.outputs[0])
        if before is None or after is None or 0 in before:
            return False
        if node.op_type == "Gather":
            return _take_only(model, node, before, after)
        shapes = [before] if node.op_type in _REDUCTIONS else [edit.shape_of(value) for value in node.inputs]
        rank = max((len(shape) for shape in shapes if shape is not None), default=0)
        if rank <= MAX_AXES or None in shapes:
            return False
        padded = [(1,) * (rank - len(shape)) + shape for shape in shapes if shape is not None]
        if node.op_type in _REDUCTIONS:
            return _reduce(model, node, padded[0], after)
        whole = tuple(np.broadcast_shapes(*padded))
        groups = _groups([[length == 1 for length in shape] for shape in padded], whole)
        if len(groups) > MAX_AXES:
            return False
        editor = edit.Editor(model, node)
        inputs = [
            editor.reshape(value, _merged(shape, groups))
            for value, shape in zip(node.inputs, padded, strict=True)
            if value is not None
        ]
        result = editor.add(node.op_type, inputs, _merged(whole, groups), node.attributes.values())
        edit.replace(node.outputs[0], editor.reshape(result, after))
        return True


def _groups(kinds: list[list[bool]], whole: tuple[int, ...]) -> list[list[int]]:
    """Neighbouring axes that are alike in every operand; an axis of length 1 goes with any."""
    groups: list[list[int]] = []
    last: list[bool] | None = None
    for axis, length in enumerate(whole):
        kind = None if length == 1 else [operand[axis] for operand in kinds]
        if groups and (kind is None or last is None or kind == last):
            groups[-1].append(axis)
        else:
            groups.append([axis])
        last = kind if kind is not None else last
    return groups


def _merged(shape: tuple[int, ...], groups: list[list[int]]) -> tuple[int, ...]:
    return tuple(math.prod(shape[axis] for axis in group) for group in groups)


def _reduce(model: ir.Model, node: ir.Node, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    axes = hub.reduced_axes(node)
    if axes is None:
        return False
    groups = _groups([[axis in axes for axis in range(len(before))]], before)
    gone = [index for index, group in enumerate(groups) if any(a in axes for a in group if before[a] > 1)]
    if len(groups) > MAX_AXES:
        return False
    editor = edit.Editor(model, node)
    merged = _merged(before, groups)
    small = tuple(1 if index in gone else length for index, length in enumerate(merged))
    view = editor.reshape(node.inputs[0], merged)  # type: ignore[arg-type]
    places = editor.constant(np.array(gone, np.int64), "axes")
    attributes = [ir.AttrInt64("keepdims", 1), ir.AttrInt64("noop_with_empty_axes", 1)]
    result = editor.add(node.op_type, [view, places], small, attributes)
    edit.replace(node.outputs[0], editor.reshape(result, after))
    return True


def _take_only(model: ir.Model, node: ir.Node, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    indices = constant(node.inputs[1])
    axis = hub.integer(node, "axis", 0) % len(before)
    if indices is None or indices.size != 1 or before[axis] != 1 or node.outputs[0].dtype != ir.DataType.FLOAT:
        return False
    x = node.inputs[0]
    assert x is not None
    edit.replace(node.outputs[0], edit.Editor(model, node).reshape(x, after))
    return True
