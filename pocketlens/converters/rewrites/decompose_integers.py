"""Integers that are computed from the picture, in terms of floats, truths and the arithmetic of places."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

_INTEGERS = (ir.DataType.INT32, ir.DataType.INT64)
_COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
_REDUCTIONS = ("ReduceMax", "ReduceMin", "ReduceSum")


class DecomposeIntegers(NodePass):
    """Do without choices between integers, comparisons of them, and sums of truths that were made integers.

    Exact: a choice is ``b + c (a - b)`` with c 0 or 1, in integers. Comparisons and sums are computed in floats, which
    hold every whole number up to 2²⁴ (fp16: 2,048): places of channels and styles, and counts. Needs fixed shapes.
    """

    operators = ("Where", *_COMPARISONS, *_REDUCTIONS)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        operands = node.inputs[1:3] if node.op_type == "Where" else node.inputs[:1]
        operands = node.inputs[:2] if node.op_type in _COMPARISONS else operands
        shape = edit.shape_of(node.outputs[0])
        if shape is None or any(value is None or edit.shape_of(value) is None for value in operands):
            return False
        # Of a choice the operands may be constants; what chooses is computed.
        values = node.outputs[:1] if node.op_type == "Where" else operands
        if not any(v is not None and v.dtype in _INTEGERS and constant(v) is None for v in values):
            return False
        editor = edit.Editor(model, node)
        result = _chosen(editor, node, shape) if node.op_type == "Where" else _in_floats(editor, node, shape)
        edit.replace(node.outputs[0], result)
        return True


def _chosen(editor: edit.Editor, node: ir.Node, shape: tuple[int, ...]) -> ir.Value:
    condition, first, second = node.inputs
    assert condition is not None and first is not None and second is not None
    kind = node.outputs[0].dtype or ir.DataType.INT64
    chosen = editor.cast(condition, kind)
    both = np.broadcast_shapes(edit.shape_of(first) or (), edit.shape_of(second) or ())
    away = _typed(editor.add("Sub", [first, second], both), kind)
    return _typed(editor.add("Add", [second, _typed(editor.add("Mul", [chosen, away], shape), kind)], shape), kind)


def _in_floats(editor: edit.Editor, node: ir.Node, shape: tuple[int, ...]) -> ir.Value:
    count = 2 if node.op_type in _COMPARISONS else 1
    operands = [_as_floats(editor, value, i) for i, value in enumerate(node.inputs[:count]) if value is not None]
    result = editor.add(node.op_type, [*operands, *node.inputs[count:]], shape, node.attributes.values())
    if node.op_type in _COMPARISONS:
        return _typed(result, ir.DataType.BOOL)
    return editor.cast(result, node.outputs[0].dtype or ir.DataType.INT64)


def _as_floats(editor: edit.Editor, value: ir.Value, index: int) -> ir.Value:
    array = constant(value)
    if array is not None:
        return editor.constant(array.astype(np.float32), f"float_{index}")
    cast = edit.producer(value, "Cast")
    if cast is not None and cast.inputs[0] is not None and cast.inputs[0].dtype == ir.DataType.BOOL:
        value = cast.inputs[0]
    return editor.cast(value, ir.DataType.FLOAT)


def _typed(value: ir.Value, kind: ir.DataType) -> ir.Value:
    value.type = ir.TensorType(kind)
    return value
