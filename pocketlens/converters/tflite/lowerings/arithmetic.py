"""Sums, products, powers and comparisons of two or more values, with broadcasting."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.tflite.draft import Draft, Tensor
from pocketlens.converters.tflite.registry import lowers

_TWO = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL", "Div": "DIV"}
_MANY = {"Min": "MINIMUM", "Max": "MAXIMUM", "Sum": "ADD"}
_COMPARE = {
    "Greater": "GREATER",
    "GreaterOrEqual": "GREATER_EQUAL",
    "Less": "LESS",
    "LessOrEqual": "LESS_EQUAL",
    "Equal": "EQUAL",
}
_LOGICAL = {"And": "LOGICAL_AND", "Or": "LOGICAL_OR", "Xor": "NOT_EQUAL", "Not": "LOGICAL_NOT"}
_POWERS = {0.5: ("SQRT",), -0.5: ("RSQRT",)}


def _operands(draft: Draft, node: ir.Node) -> list[Tensor]:
    rank = len(hub.static_shape(node.outputs[0]))
    return [draft.operand(value, rank) for value in node.inputs]


@lowers(*_TWO, *_MANY)
def arithmetic(draft: Draft, node: ir.Node) -> Tensor:
    """Two operands at a time, from the left."""
    first, *others = _operands(draft, node)
    code = _TWO.get(node.op_type) or _MANY[node.op_type]
    for other in others:
        first = draft.elementwise(code, first, other)
    return first


@lowers("Reciprocal")
def reciprocal(draft: Draft, node: ir.Node) -> Tensor:
    """``1 / x``."""
    return draft.elementwise("DIV", 1.0, draft.of(node.inputs[0]))


@lowers("Pow")
def power(draft: Draft, node: ir.Node) -> Tensor:
    """A product for 2, roots for 0.5 and -0.5, POW (which leaves XNNPACK) for everything else."""
    exponent = constant(node.inputs[1])
    base, other = _operands(draft, node)
    if exponent is not None and exponent.size == 1:
        number = float(exponent.reshape(-1)[0])
        if number == 2:
            return draft.elementwise("MUL", base, base)
        if number in _POWERS:
            return draft.elementwise(_POWERS[number][0], base)
        if other.dtype != np.float32:
            return draft.elementwise("POW", base, number)
    return draft.elementwise("POW", base, other)


@lowers(*_COMPARE)
def compare(draft: Draft, node: ir.Node) -> Tensor:
    """A tensor of booleans."""
    return draft.elementwise(_COMPARE[node.op_type], *_operands(draft, node), dtype=np.bool_)


@lowers(*_LOGICAL)
def logical(draft: Draft, node: ir.Node) -> Tensor:
    """And and Or have operators of their own; two truths that differ are NOT_EQUAL."""
    return draft.elementwise(_LOGICAL[node.op_type], *_operands(draft, node), dtype=np.bool_)


@lowers("Cast")
def cast(draft: Draft, node: ir.Node) -> Tensor:
    """Truths to 1 and 0, and what is not 0 to a truth."""
    x = draft.of(node.inputs[0])
    if node.outputs[0].dtype == ir.DataType.BOOL:
        return draft.elementwise("NOT_EQUAL", x, 0.0, dtype=np.bool_)
    return draft.add("CAST", [x], x.shape)


@lowers("Where")
def where(draft: Draft, node: ir.Node) -> Tensor:
    """SELECT_V2, the one of the two SELECTs that broadcasts."""
    return draft.elementwise("SELECT_V2", *_operands(draft, node))
