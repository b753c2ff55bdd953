"""Means, sums and extremes over axes, and pools over the whole picture."""

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var, signed
from pocketlens.converters.coreai.registry import lowering
from pocketlens.converters.lowering import needs_constants, shape

_OPERATIONS = {
    "ReduceMean": "reduce_mean",
    "ReduceSum": "reduce_sum",
    "ReduceMax": "reduce_max",
    "ReduceMin": "reduce_min",
    "GlobalAveragePool": "reduce_mean",
    "GlobalMaxPool": "reduce_max",
}


@lowering(
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    check=lambda node: needs_constants(node, "its axes are", 1),
    needs="constant axes",
)
def reduce(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``reduce_*`` over any axes, in float32; Core AI keeps the axes, a reshape drops them."""
    x = builder.get(node.inputs[0])
    axes = hub.reduced_axes(node)
    if not axes:
        return x
    operation = getattr(builder.ops, _OPERATIONS[node.op_type])
    y = builder.from_float32(operation(builder.in_float32(x), signed(axes)))
    kept = tuple(1 if axis in axes else length for axis, length in enumerate(shape(node.inputs[0])))
    return y if kept == shape(node.outputs[0]) else builder.reshape(y, shape(node.outputs[0]))


@lowering("GlobalAveragePool", "GlobalMaxPool")
def global_pool(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """Over everything behind the channels."""
    return reduce(builder, node)
