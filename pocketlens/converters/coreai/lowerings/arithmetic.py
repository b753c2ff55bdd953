"""Sums, products and powers of two or more values, with broadcasting."""

from functools import reduce

import onnx_ir as ir

from pocketlens.converters.coreai.builder import CoreAIBuilder, Var
from pocketlens.converters.coreai.registry import lowering
from pocketlens.converters.lowering import floats, rank

_OPERATIONS = {
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "divide",
    "Min": "minimum",
    "Max": "maximum",
    "Sum": "add",
}


def operands(builder: CoreAIBuilder, node: ir.Node) -> list[Var]:
    """The inputs, each with as many axes as the result."""
    return [builder.operand(value, rank(node.outputs[0])) for value in node.inputs]


@lowering(*_OPERATIONS)
def arithmetic(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """Two operands at a time, from the left."""
    operation = getattr(builder.ops, f"broadcasting_{_OPERATIONS[node.op_type]}")
    return reduce(operation, operands(builder, node))


@lowering("Reciprocal")
def reciprocal(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``1 / x``."""
    return builder.ops.broadcasting_divide(builder.scalar(1.0, rank(node.inputs[0])), builder.get(node.inputs[0]))


@lowering("Pow")
def power(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """Products for 2 and 3, a root for 1/2, else ``pow``: a GPU's power of a negative number is not a number."""
    base, exponent = operands(builder, node)
    constant = floats(node, 1)
    number = float(constant.item()) if constant is not None and constant.size == 1 else None
    if number == 0.5:
        return builder.ops.sqrt(base)
    if number in (2, 3):
        square = builder.ops.broadcasting_mul(base, base)
        return square if number == 2 else builder.ops.broadcasting_mul(square, base)
    return builder.ops.broadcasting_pow(base, exponent)
