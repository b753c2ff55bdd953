"""Means, sums and extremes over axes, and pools over the whole picture."""

import math

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.builder import MILBuilder, Var, vector
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import needs_constants, shape

_OPERATIONS = {
    "ReduceMean": "reduce_mean",
    "ReduceSum": "reduce_sum",
    "ReduceMax": "reduce_max",
    "ReduceMin": "reduce_min",
    "ReduceProd": "reduce_prod",
    "GlobalAveragePool": "reduce_mean",
    "GlobalMaxPool": "reduce_max",
}
SAFE_SUM = 4096
"""The most values that are summed in fp16 at once; more of them overflow at 65504 where they average 16."""


@lowering(
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    check=lambda node: needs_constants(node, "its axes are", 1),
    needs="constant axes",
)
def reduce(builder: MILBuilder, node: ir.Node) -> Var:
    """``reduce_*`` over any axes."""
    if not hub.reduced_axes(node):
        return builder.add("identity", x=builder.get(node.inputs[0]))
    return _reduce(builder, node, bool(hub.integer(node, "keepdims", 1)))


@lowering("GlobalAveragePool", "GlobalMaxPool")
def global_pool(builder: MILBuilder, node: ir.Node) -> Var:
    """Over everything behind the channels."""
    return _reduce(builder, node, True)


def _reduce(builder: MILBuilder, node: ir.Node, keep_dims: bool) -> Var:
    operation, axes = _OPERATIONS[node.op_type], list(hub.reduced_axes(node) or ())
    x = builder.get(node.inputs[0])
    lengths = [shape(node.inputs[0])[axis] for axis in axes]
    if operation == "reduce_mean" and builder.precision != "fp32" and math.prod(lengths) > SAFE_SUM:
        # The mean of means is the mean, and each of its sums is short enough for fp16.
        for axis in reversed(axes):
            x = builder.add("reduce_mean", x=x, axes=vector([axis]), keep_dims=True)
        return x if keep_dims else builder.add("squeeze", x=x, axes=vector(axes))
    return builder.add(operation, x=x, axes=vector(axes), keep_dims=keep_dims)
