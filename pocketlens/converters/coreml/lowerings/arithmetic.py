"""Functions of two values, which are broadcast."""

from functools import reduce

import numpy as np
import onnx_ir as ir

from pocketlens.converters.coreml.registry import (
    Scope,
    Var,
    floats,
    lowering,
    rank,
    shape,
)

_BINARY = {
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "real_div",
    "Pow": "pow",
    "Min": "minimum",
    "Max": "maximum",
    "Sum": "add",
}
_COMPARE = {
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
}


def _operands(scope: Scope, node: ir.Node) -> list[Var]:
    """The inputs; constants with as many axes as the result, which every unit of the phone broadcasts."""
    axes = rank(node.outputs[0])
    found = []
    for value in node.inputs:
        operand = scope.get(value)
        if isinstance(operand, np.ndarray):
            array = np.asarray(operand, np.float32)
            operand = (
                np.float32(array.item()) if array.size == 1 else array.reshape((1,) * (axes - array.ndim) + array.shape)
            )
        found.append(operand)
    return found


@lowering("Add", "Sub", "Mul", "Div", "Min", "Max", "Sum")
def elementwise(scope: Scope, node: ir.Node) -> Var:
    """The operation of the same meaning; more than two inputs are taken one after the other."""
    kind = _BINARY[node.op_type]
    operands = _operands(scope, node)
    if len(operands) == 1:
        return scope.op("identity", x=operands[0])
    return reduce(lambda x, y: scope.op(kind, x=x, y=y), operands)


@lowering("Pow")
def power(scope: Scope, node: ir.Node) -> Var:
    """``pow``; exponents 2 and 1/2 are spelled out, because a GPU's power of a negative number is not a number."""
    base, exponent = _operands(scope, node)
    constant = floats(node, 1)
    only = float(constant.item()) if constant is not None and constant.size == 1 else None
    if only == 2:
        return scope.op("square", x=base)
    if only == 0.5:
        return scope.op("sqrt", x=base)
    if only == 3:
        return scope.op("mul", x=scope.op("square", x=base), y=base)
    return scope.op("pow", x=base, y=exponent)


@lowering(*_COMPARE)
def compare(scope: Scope, node: ir.Node) -> Var:
    """True or false."""
    x, y = _operands(scope, node)
    return scope.op(_COMPARE[node.op_type], x=x, y=y)


@lowering("And", "Or", "Xor")
def both(scope: Scope, node: ir.Node) -> Var:
    """``logical_and`` and its like."""
    x, y = (scope.get(value) for value in node.inputs)
    return scope.op(f"logical_{node.op_type.lower()}", x=x, y=y)


@lowering("Not")
def negated(scope: Scope, node: ir.Node) -> Var:
    """``logical_not``."""
    return scope.op("logical_not", x=scope.get(node.inputs[0]))


@lowering("Cast")
def cast(scope: Scope, node: ir.Node) -> Var:
    """Truths to 1 and 0, and what is not 0 to a truth."""
    return scope.op(
        "cast", x=scope.get(node.inputs[0]), dtype="bool" if node.outputs[0].dtype == ir.DataType.BOOL else "fp32"
    )


@lowering("Where")
def where(scope: Scope, node: ir.Node) -> Var:
    """``select``, whose result has the shape of what it chooses from, whatever the condition's is."""
    condition, one, other = (scope.spread(value, shape(node.outputs[0])) for value in node.inputs)
    return scope.op("select", cond=condition, a=one, b=other)
