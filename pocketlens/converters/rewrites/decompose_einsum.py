"""Einsum of two values, as attention is written, in terms of a matrix product."""

import math

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass


class DecomposeEinsum(NodePass):
    """Replace an Einsum of two values by Transposes, Reshapes and a MatMul.

    Exact to the order of sums: of the axes, those on both sides and in the result are kept beside the product, those on
    both sides alone are summed by it, and those on one side are its rows or columns. Where there are no such, it is a
    product and a sum. An axis on one side that the result lacks is summed first. Needs floats, fixed shapes, no axis
    twice on one side and no ellipsis.
    """

    operators = ("Einsum",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        equation = hub.text(node, "equation", "").replace(" ", "")
        sides, arrow, result = equation.partition("->")
        terms = sides.split(",")
        shapes = [edit.shape_of(value) for value in node.inputs]
        if len(terms) != 2 or not arrow or "." in equation or any(len(set(t)) != len(t) for t in (*terms, result)):
            return False
        if None in shapes or any(value is None or value.dtype != ir.DataType.FLOAT for value in node.inputs):
            return False
        lengths = {
            a: n for term, shape in zip(terms, shapes, strict=True) for a, n in zip(term, shape or (), strict=True)
        }
        if any(lengths[a] != n for t, s in zip(terms, shapes, strict=True) for a, n in zip(t, s or (), strict=True)):
            return False
        edit.replace(node.outputs[0], _product(edit.Editor(model, node), node, terms, result, lengths))
        return True


def _product(editor: edit.Editor, node: ir.Node, terms: list[str], result: str, lengths: dict[str, int]) -> ir.Value:
    values = []
    for index, (value, other) in enumerate(zip(node.inputs, reversed(terms), strict=True)):
        assert value is not None
        summed, terms[index] = _without(editor, value, terms[index], other + result, lengths, index)
        values.append(summed)
    left, right = terms
    beside = [a for a in left if a in right and a in result]
    inner = [a for a in left if a in right and a not in result]
    rows, columns = [a for a in left if a not in right], [a for a in right if a not in left]

    def size(axes: list[str]) -> int:
        return math.prod(lengths[a] for a in axes)

    order = [*beside, *rows, *inner]
    x = _arranged(editor, values[0], left, order, lengths)
    y = _arranged(editor, values[1], right, [*beside, *inner, *columns], lengths)
    if not rows and not columns:
        total = _dot(editor, x, y, len(beside), [lengths[a] for a in order])
        return _arranged(editor, total, "".join(beside), list(result), lengths)
    x = editor.reshape(x, (size(beside), size(rows), size(inner)))
    y = editor.reshape(y, (size(beside), size(inner), size(columns)))
    mixed = editor.add("MatMul", [x, y], (size(beside), size(rows), size(columns)))
    whole = [*beside, *rows, *columns]
    return _arranged(editor, editor.reshape(mixed, [lengths[a] for a in whole]), "".join(whole), list(result), lengths)


def _dot(editor: edit.Editor, x: ir.Value, y: ir.Value, kept: int, shape: list[int]) -> ir.Value:
    """The sum of a product over all axes behind the first: a variance is written so, and is to be recognized."""
    product = editor.add("Mul", [x, y], shape)
    if kept == len(shape):
        return product
    axes = editor.constant(np.arange(kept, len(shape)), "axes")
    return editor.add("ReduceSum", [product, axes], shape[:kept], [ir.AttrInt64("keepdims", 0)])


def _without(
    editor: edit.Editor, value: ir.Value, term: str, wanted: str, lengths: dict[str, int], side: int
) -> tuple[ir.Value, str]:
    """A value without the axes that neither the other side nor the result has: they are summed."""
    gone = [i for i, axis in enumerate(term) if axis not in wanted]
    if not gone:
        return value, term
    left = "".join(axis for axis in term if axis in wanted)
    axes = editor.constant(np.array(gone, np.int64), f"axes_{side}")
    shape = [lengths[axis] for axis in left]
    return editor.add("ReduceSum", [value, axes], shape, [ir.AttrInt64("keepdims", 0)]), left


def _arranged(editor: edit.Editor, value: ir.Value, term: str, order: list[str], lengths: dict[str, int]) -> ir.Value:
    if list(term) == order:
        return value
    permutation = [term.index(axis) for axis in order]
    return editor.add("Transpose", [value], [lengths[a] for a in order], [ir.AttrInt64s("perm", permutation)])
