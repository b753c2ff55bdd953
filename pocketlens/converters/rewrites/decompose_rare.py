"""Operators that generators seldom have, in terms of those that every target takes."""

import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

MAX_COPIES = 64
"""How often a Tile is written as a Concat at most: each copy is one more input."""


class DecomposeRare(NodePass):
    """Replace a rare operator by its definition, as the ONNX standard gives it.

    Exact to float rounding: norms and sums of squares (ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum) become a
    function and a ReduceSum; Selu and Celu a scaled Elu; Mean a Sum and a product; Tile an Expand where it repeats
    single values, else Concats of copies; a Pad that wraps around Concats of Slices; GatherND of whole entries, as
    torch exports channels in another order, a Gather. Needs floats and fixed shapes.
    """

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        decompose = _DEFINITIONS.get(node.op_type)
        x = node.inputs[0] if node.inputs else None
        if decompose is None or x is None or x.dtype != ir.DataType.FLOAT or edit.shape_of(node.outputs[0]) is None:
            return False
        result = decompose(edit.Editor(model, node), node, x) if edit.shape_of(x) is not None else None
        if result is not None:
            edit.replace(node.outputs[0], result)
        return result is not None


def _number(editor: edit.Editor, number: float, name: str) -> ir.Value:
    return editor.constant(np.array(number, np.float32), name)


def _summed(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    before, shape = edit.shape_of(x), edit.shape_of(node.outputs[0])
    if node.op_type in ("ReduceL2", "ReduceSumSquare"):
        x = editor.add("Mul", [x, x], before)
    elif node.op_type == "ReduceL1":
        x = editor.add("Abs", [x], before)
    total = editor.add("ReduceSum", [x, *node.inputs[1:]], shape, node.attributes.values())
    last = {"ReduceL2": "Sqrt", "ReduceLogSum": "Log"}.get(node.op_type)
    return editor.add(last, [total], shape) if last else total


def _selu(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value:
    shape = edit.shape_of(x)
    alpha = hub.number(node, "alpha", 1.67326319217681884765625)
    curved = editor.add("Elu", [x], shape, [ir.AttrFloat32("alpha", alpha)])
    gamma = hub.number(node, "gamma", 1.05070102214813232421875)
    return editor.add("Mul", [curved, _number(editor, gamma, "gamma")], shape)


def _celu(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value:
    shape, alpha = edit.shape_of(x), hub.number(node, "alpha", 1.0)
    curved = editor.add("Elu", [editor.add("Mul", [x, _number(editor, 1 / alpha, "inverse")], shape)], shape)
    return editor.add("Mul", [curved, _number(editor, alpha, "alpha")], shape)


def _mean(editor: edit.Editor, node: ir.Node, _: ir.Value) -> ir.Value:
    shape = edit.shape_of(node.outputs[0])
    total = editor.add("Sum", list(node.inputs), shape)
    return editor.add("Mul", [total, _number(editor, 1 / len(node.inputs), "share")], shape)


def _tiled(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    counts, shape = edit.constant_integers(node, 1), edit.shape_of(x)
    if counts is None or shape is None or 0 in counts:
        return None
    if all(count == 1 or length == 1 for count, length in zip(counts, shape, strict=True)):
        target = tuple(count * length for count, length in zip(counts, shape, strict=True))
        return editor.add("Expand", [x, editor.constant(np.array(target, np.int64), "size")], target)
    if math.prod(counts) > MAX_COPIES:
        return None
    for axis, count in enumerate(counts):
        x = editor.concat([x] * count, axis)
    return x


def _wrapped(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    pads, shape = hub.pads(node), edit.shape_of(x)
    if hub.text(node, "mode", "constant") != "wrap" or pads is None or shape is None:
        return None
    if any(
        not 0 <= pad <= length for before_and_after, length in zip(pads, shape, strict=True) for pad in before_and_after
    ):
        return None
    for axis, (before, after) in enumerate(pads):
        start = [_cut(editor, x, axis, shape[axis] - before, shape[axis])] if before else []
        end = [_cut(editor, x, axis, 0, after)] if after else []
        x = editor.concat([*start, x, *end], axis)
    return x


def _cut(editor: edit.Editor, x: ir.Value, axis: int, start: int, end: int) -> ir.Value:
    shape = edit.shape_of(x)
    assert shape is not None
    bounds = [
        editor.constant(np.array([n], np.int64), f"{axis}_{start}_{end}_{i}") for i, n in enumerate((start, end, axis))
    ]
    return editor.add("Slice", [x, *bounds], (*shape[:axis], end - start, *shape[axis + 1 :]))


def _gathered(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    places = constant(node.inputs[1])
    if places is None or places.shape[-1] != 1 or hub.integer(node, "batch_dims", 0):
        return None
    indices = editor.constant(places[..., 0].astype(np.int64), "places")
    return editor.add("Gather", [x, indices], edit.shape_of(node.outputs[0]), [ir.AttrInt64("axis", 0)])


_DEFINITIONS: dict[str, Callable[[edit.Editor, ir.Node, ir.Value], ir.Value | None]] = {
    "Celu": _celu,
    "GatherND": _gathered,
    "Mean": _mean,
    "Pad": _wrapped,
    "ReduceL1": _summed,
    "ReduceL2": _summed,
    "ReduceLogSum": _summed,
    "ReduceSumSquare": _summed,
    "Selu": _selu,
    "Tile": _tiled,
}
