"""Means, sums and extremes over axes, and pools over the whole picture."""

import math

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.registry import (
    Scope,
    Var,
    lowering,
    needs_constants,
    shape,
    vector,
)

_KINDS = {
    "ReduceMean": "reduce_mean",
    "ReduceSum": "reduce_sum",
    "ReduceMax": "reduce_max",
    "ReduceMin": "reduce_min",
    "GlobalAveragePool": "reduce_mean",
    "GlobalMaxPool": "reduce_max",
}
SAFE_SUM = 4096
"""Values that are summed in fp16 in one go; more of them overflow at 65504 where they average 16."""


@lowering(
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    check=lambda node: needs_constants(node, 1),
    needs="constant axes",
)
def reduced(scope: Scope, node: ir.Node) -> Var:
    """``reduce_*`` over constant axes."""
    if not hub.reduced_axes(node):
        return scope.op("identity", x=scope.get(node.inputs[0]))
    return _reduce(scope, node, bool(hub.integer(node, "keepdims", 1)))


@lowering("GlobalAveragePool", "GlobalMaxPool")
def pooled(scope: Scope, node: ir.Node) -> Var:
    """A reduction over everything behind the channels."""
    return _reduce(scope, node, True)


def _reduce(scope: Scope, node: ir.Node, keep: bool) -> Var:
    kind, axes = _KINDS[node.op_type], list(hub.reduced_axes(node) or ())
    x = scope.get(node.inputs[0])
    lengths = [shape(node.inputs[0])[axis] for axis in axes]
    if kind == "reduce_mean" and scope.precision != "fp32" and math.prod(lengths) > SAFE_SUM:
        # The mean of means is the mean, and each of its sums is short enough for fp16.
        for axis in reversed(axes):
            x = scope.op("reduce_mean", x=x, axes=vector([axis]), keep_dims=True)
        return x if keep else scope.op("squeeze", x=x, axes=vector(axes))
    return scope.op(kind, x=x, axes=vector(axes), keep_dims=keep)
