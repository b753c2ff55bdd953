"""Sums, products, powers and comparisons of two or more values, with broadcasting."""

from functools import reduce

import numpy as np
import onnx_ir as ir

from pocketlens.converters.coreml.builder import MILBuilder, Var
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import floats, is_place, rank, shape

_OPERATIONS = {
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "real_div",
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


def _operands(builder: MILBuilder, node: ir.Node) -> list[Var]:
    """The inputs; constants with as many axes as the result, which every unit of the phone broadcasts."""
    axes, kind = rank(node.outputs[0]), np.int32 if is_place(node.outputs[0]) else np.float32
    operands = []
    for value in node.inputs:
        operand = builder.get(value)
        if isinstance(operand, np.ndarray):
            array = np.asarray(operand, kind)
            operand = kind(array.item()) if array.size == 1 else array.reshape((1,) * (axes - array.ndim) + array.shape)
        operands.append(operand)
    return operands


@lowering(*_OPERATIONS)
def arithmetic(builder: MILBuilder, node: ir.Node) -> Var:
    """Two operands at a time, from the left."""
    operation = _OPERATIONS[node.op_type]
    operands = _operands(builder, node)
    if len(operands) == 1:
        return builder.add("identity", x=operands[0])
    return reduce(lambda x, y: builder.add(operation, x=x, y=y), operands)


@lowering("Reciprocal")
def reciprocal(builder: MILBuilder, node: ir.Node) -> Var:
    """``1 / x``; MIL's own ``inverse`` adds 1e-4 to its input."""
    return builder.add("real_div", x=np.float32(1), y=builder.get(node.inputs[0]))


@lowering("Pow")
def power(builder: MILBuilder, node: ir.Node) -> Var:
    """Products for 2 and 3, a root for 1/2, else ``pow``: a GPU's power of a negative number is not a number."""
    base, exponent = _operands(builder, node)
    constant = floats(node, 1)
    number = float(constant.item()) if constant is not None and constant.size == 1 else None
    if number == 2:
        return builder.add("square", x=base)
    if number == 0.5:
        return builder.add("sqrt", x=base)
    if number == 3:
        return builder.add("mul", x=builder.add("square", x=base), y=base)
    return builder.add("pow", x=base, y=exponent)


@lowering(*_COMPARE)
def compare(builder: MILBuilder, node: ir.Node) -> Var:
    """A variable of booleans."""
    x, y = _operands(builder, node)
    return builder.add(_COMPARE[node.op_type], x=x, y=y)


@lowering("And", "Or", "Xor")
def logical(builder: MILBuilder, node: ir.Node) -> Var:
    """``logical_and``, ``logical_or``, ``logical_xor``."""
    x, y = (builder.get(value) for value in node.inputs)
    return builder.add(f"logical_{node.op_type.lower()}", x=x, y=y)


@lowering("Not")
def logical_not(builder: MILBuilder, node: ir.Node) -> Var:
    """``logical_not``."""
    return builder.add("logical_not", x=builder.get(node.inputs[0]))


@lowering("Cast")
def cast(builder: MILBuilder, node: ir.Node) -> Var:
    """Truths to 1 and 0, what is not 0 to a truth, and numbers to places, whose fraction is cut off."""
    is_truth, to_place = node.outputs[0].dtype == ir.DataType.BOOL, is_place(node.outputs[0])
    kind = "bool" if is_truth else "int32" if to_place else "fp32"
    return builder.add("cast", x=builder.get(node.inputs[0]), dtype=kind)


@lowering("Where")
def where(builder: MILBuilder, node: ir.Node) -> Var:
    """``select``, whose result has the shape of what it selects from, whatever the condition's is."""
    condition, if_true, if_false = (builder.broadcast(value, shape(node.outputs[0])) for value in node.inputs)
    return builder.add("select", cond=condition, a=if_true, b=if_false)
