"""Sums, products, powers and comparisons of two or more values, with broadcasting."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.lowering import is_place
from pocketlens.converters.tflite.builder import Tensor, TFLiteBuilder
from pocketlens.converters.tflite.registry import lowering

_BINARY = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL", "Div": "DIV"}
_VARIADIC = {"Min": "MINIMUM", "Max": "MAXIMUM", "Sum": "ADD"}
_COMPARE = {
    "Greater": "GREATER",
    "GreaterOrEqual": "GREATER_EQUAL",
    "Less": "LESS",
    "LessOrEqual": "LESS_EQUAL",
    "Equal": "EQUAL",
}
_LOGICAL = {"And": "LOGICAL_AND", "Or": "LOGICAL_OR", "Xor": "NOT_EQUAL", "Not": "LOGICAL_NOT"}
_ROOTS = {0.5: "SQRT", -0.5: "RSQRT"}


def _operands(builder: TFLiteBuilder, node: ir.Node) -> list[Tensor]:
    rank = len(hub.static_shape(node.outputs[0]))
    return [builder.operand(value, rank) for value in node.inputs]


@lowering(*_BINARY, *_VARIADIC)
def arithmetic(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """Two operands at a time, from the left."""
    result, *others = _operands(builder, node)
    code = _BINARY.get(node.op_type) or _VARIADIC[node.op_type]
    for other in others:
        result = builder.elementwise(code, result, other, dtype=result.dtype.type)
    return result


@lowering("Reciprocal")
def reciprocal(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """``1 / x``."""
    return builder.elementwise("DIV", 1.0, builder.get(node.inputs[0]))


@lowering("Pow")
def power(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """A product for 2, roots for 0.5 and -0.5, POW (which leaves XNNPACK) for everything else."""
    exponent = constant(node.inputs[1])
    base, other = _operands(builder, node)
    if exponent is not None and exponent.size == 1:
        number = float(exponent.reshape(-1)[0])
        if number == 2:
            return builder.elementwise("MUL", base, base)
        if number in _ROOTS:
            return builder.elementwise(_ROOTS[number], base)
        if other.dtype != np.float32:
            return builder.elementwise("POW", base, number)
    return builder.elementwise("POW", base, other)


@lowering(*_COMPARE)
def compare(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """A tensor of booleans."""
    return builder.elementwise(_COMPARE[node.op_type], *_operands(builder, node), dtype=np.bool_)


@lowering(*_LOGICAL)
def logical(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """And and Or have operators of their own; two truths that differ are NOT_EQUAL."""
    return builder.elementwise(_LOGICAL[node.op_type], *_operands(builder, node), dtype=np.bool_)


@lowering("Cast")
def cast(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """Truths to 1 and 0, what is not 0 to a truth, and numbers to places, whose fraction is cut off."""
    x = builder.get(node.inputs[0])
    if is_place(node.outputs[0]):
        return builder.add("CAST", [x], x.shape, dtype=np.int32)
    if node.outputs[0].dtype == ir.DataType.BOOL:
        return builder.elementwise("NOT_EQUAL", x, 0.0, dtype=np.bool_)
    return builder.add("CAST", [x], x.shape)


@lowering("Where")
def where(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """SELECT_V2, the one of the two SELECTs that broadcasts."""
    return builder.elementwise("SELECT_V2", *_operands(builder, node))
