"""Comparisons, booleans, and what chooses by them."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.coreai.builder import CoreAIBuilder, Var
from pocketlens.converters.coreai.lowerings.arithmetic import operands
from pocketlens.converters.coreai.registry import lowering


@lowering("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
def compare(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """Core AI has ``equal`` and ``greater``; the others swap the operands or negate the answer."""
    x, y = operands(builder, node)
    if node.op_type == "Equal":
        return builder.ops.broadcasting_equal(x, y)
    is_strict = node.op_type in ("Greater", "Less")
    swaps = node.op_type in ("Less", "GreaterOrEqual")
    answer = builder.ops.broadcasting_greater(y, x) if swaps else builder.ops.broadcasting_greater(x, y)
    return answer if is_strict else builder.ops.not_(answer)


@lowering("And", "Or", "Xor")
def logical(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``broadcasting_and``, ``broadcasting_or``, ``broadcasting_xor``."""
    x, y = operands(builder, node)
    return getattr(builder.ops, f"broadcasting_{node.op_type.lower()}")(x, y)


@lowering("Not")
def logical_not(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``not``."""
    return builder.ops.not_(builder.get(node.inputs[0]))


@lowering("Cast")
def cast(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """Truths to 1 and 0, and what is not 0 to a truth."""
    to = np.bool_ if node.outputs[0].dtype == ir.DataType.BOOL else builder.dtype
    return builder.ops.cast(builder.get(node.inputs[0]), to)


@lowering("Where")
def where(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``broadcasting_where``."""
    return builder.ops.broadcasting_where(*operands(builder, node))
