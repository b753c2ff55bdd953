"""Operators that a Snapdragon's NPU computes wrongly, in terms of those that it computes rightly.

Of onnxruntime-qnn 2.7.0; docs/upstream.md has each fault with its smallest graph.
"""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass


class DecomposeForNpu(NodePass):
    """Replace such operators by their definition.

    Exact to float rounding. In both kinds of arithmetic: ``softplus(x) = relu(x) + log(1 + exp(-|x|))``, which the NPU
    reads from a table with errors of 0.014; a Cast to integers and back is ``sign(x) floor(|x|)``, which it leaves out.
    In integers: ``c ** x = exp(x log c)`` for a constant ``c`` above 0, where it takes ``c`` for another number; a sum
    or mean leaves out axes of length 1, beside which it sums up other values where channels lie last; and a product
    with a matrix of one row is one with each of its numbers, which its compiler does not end on.

    Args:
        integers: Whether the graph is to be quantized: a power in half precision is right as it is, and nearer.
    """

    operators = ("Cast", "Gemm", "MatMul", "Pow", "ReduceMean", "ReduceSum", "Softplus")

    def __init__(self, *, integers: bool) -> None:
        super().__init__()
        self._decompositions = _OF_INTEGERS if integers else _OF_BOTH

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        decompose = self._decompositions.get(node.op_type)
        x = node.inputs[0]
        if decompose is None or x is None or node.outputs[0].dtype != ir.DataType.FLOAT:
            return False
        if edit.shape_of(x) is None or edit.shape_of(node.outputs[0]) is None:
            return False
        result = decompose(edit.Editor(model, node), node, x)
        if result is not None:
            edit.replace(node.outputs[0], result)
        return result is not None


def is_truncation(node: ir.Node) -> bool:
    """Whether a Cast makes floats of integers that a Cast has made of floats."""
    first = edit.producer(node.inputs[0], "Cast") if node.op_type == "Cast" else None
    if first is None or node.outputs[0].dtype != ir.DataType.FLOAT or first.inputs[0] is None:
        return False
    return first.inputs[0].dtype == ir.DataType.FLOAT and first.outputs[0].dtype in _INTEGERS


_INTEGERS = {getattr(ir.DataType, f"{sign}INT{bits}") for sign in ("", "U") for bits in (8, 16, 32, 64)}


def _softplus(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value:
    shape = edit.shape_of(x)
    falling = editor.add("Exp", [editor.add("Neg", [editor.add("Abs", [x], shape)], shape)], shape)
    above = editor.add("Add", [falling, editor.constant(np.array(1, np.float32), "one")], shape)
    return editor.add("Add", [editor.add("Relu", [x], shape), editor.add("Log", [above], shape)], shape)


def _truncated(editor: edit.Editor, node: ir.Node, _: ir.Value) -> ir.Value | None:
    if not is_truncation(node):
        return None
    x = node.inputs[0].producer().inputs[0]  # type: ignore[union-attr]
    shape = edit.shape_of(node.outputs[0])
    whole = editor.add("Floor", [editor.add("Abs", [x], shape)], shape)
    return editor.add("Mul", [editor.add("Sign", [x], shape), whole], shape)


def _power(editor: edit.Editor, node: ir.Node, _: ir.Value) -> ir.Value | None:
    base, exponent = constant(node.inputs[0]), node.inputs[1]
    if base is None or exponent is None or constant(exponent) is not None or base.min() <= 0:
        return None
    shape = edit.shape_of(node.outputs[0])
    logarithm = editor.constant(np.asarray(np.log(base.astype(np.float64)), np.float32), "logarithm")
    return editor.add("Exp", [editor.add("Mul", [exponent, logarithm], shape)], shape)


def _reduced(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    """The same over the axes that are longer than 1."""
    lengths, axes = edit.shape_of(x), edit.constant_integers(node, 1)
    if lengths is None or not axes:
        return None
    over = {axis % len(lengths) for axis in axes}
    longer = [axis for axis in sorted(over) if lengths[axis] > 1]
    if len(longer) == len(over):
        return None
    if not longer:
        x = editor.add("Identity", [x], lengths)
    else:
        kept = [1 if axis in longer else length for axis, length in enumerate(lengths)]
        x = editor.add(
            node.op_type,
            [x, editor.constant(np.array(longer, np.int64), "axes")],
            kept,
            [ir.AttrInt64("keepdims", 1)],
        )
    return editor.reshape(x, edit.shape_of(node.outputs[0]) or ())


def _one_row(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    row, shape, lengths = constant(node.inputs[1]), edit.shape_of(node.outputs[0]), edit.shape_of(x)
    if row is not None and hub.integer(node, "transB", 0):
        row = row.T
    if row is None or row.ndim != 2 or row.shape[0] != 1 or hub.integer(node, "transA", 0) or not lengths:
        return None
    factors = editor.constant(np.asarray(hub.number(node, "alpha", 1.0) * row.astype(np.float32), np.float32), "row")
    result = editor.add("Mul", [x, factors], shape)
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is None:
        return result
    array, beta = constant(bias), hub.number(node, "beta", 1.0)
    if array is not None:
        bias = editor.constant(np.asarray(beta * array.astype(np.float32), np.float32), "bias")
    elif beta != 1:
        bias = editor.add("Mul", [bias, editor.constant(np.array(beta, np.float32), "beta")], edit.shape_of(bias))
    return editor.add("Add", [result, bias], shape)


_Decomposition = Callable[[edit.Editor, ir.Node, ir.Value], ir.Value | None]
_OF_BOTH: dict[str, _Decomposition] = {"Cast": _truncated, "Softplus": _softplus}
_OF_INTEGERS = _OF_BOTH | {
    "Gemm": _one_row, "MatMul": _one_row, "Pow": _power, "ReduceMean": _reduced, "ReduceSum": _reduced,
}  # fmt: skip
