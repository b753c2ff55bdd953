"""Places of the largest values, the largest values themselves, and running sums, along one axis."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_cumulative_sum, check_extreme_place, check_top
from pocketlens.converters.coreml.builder import MILBuilder, Var
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import integers, rank

_OPERATIONS = {"ArgMax": "reduce_argmax", "ArgMin": "reduce_argmin"}


@lowering("ArgMax", "ArgMin", check=check_extreme_place, needs="the first of equal values")
def extreme_place(builder: MILBuilder, node: ir.Node) -> Var:
    """``reduce_argmax`` or ``reduce_argmin``."""
    axis = hub.integer(node, "axis", 0) % rank(node.inputs[0])
    keep = bool(hub.integer(node, "keepdims", 1))
    x = builder.get(node.inputs[0])
    return builder.add(_OPERATIONS[node.op_type], x=x, axis=np.int32(axis), keep_dims=keep)


@lowering("CumSum", check=check_cumulative_sum, needs="a constant axis")
def cumulative_sum(builder: MILBuilder, node: ir.Node) -> Var:
    """``cumsum``."""
    axes = integers(node, 1)
    assert axes is not None
    exclusive, reverse = (bool(hub.integer(node, name, 0)) for name in ("exclusive", "reverse"))
    axis = np.int32(axes[0] % rank(node.inputs[0]))
    return builder.add("cumsum", x=builder.get(node.inputs[0]), axis=axis, exclusive=exclusive, reverse=reverse)


@lowering("TopK", check=check_top, needs="a constant number of values")
def top(builder: MILBuilder, node: ir.Node) -> list[Var]:
    """``topk``."""
    axis = np.int32(hub.integer(node, "axis", -1) % rank(node.inputs[0]))
    (k,) = integers(node, 1) or (0,)
    ascending = not hub.integer(node, "largest", 1)
    return list(builder.add("topk", x=builder.get(node.inputs[0]), k=np.int32(k), axis=axis, ascending=ascending))
