"""Means, sums and extremes over axes, and pools over the whole picture."""

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.lowering import needs_constants, needs_rank, shape
from pocketlens.converters.tflite import layout
from pocketlens.converters.tflite.builder import Tensor, TFLiteBuilder
from pocketlens.converters.tflite.registry import lowering

_CODES = {
    "ReduceMean": "MEAN",
    "ReduceSum": "SUM",
    "ReduceMax": "REDUCE_MAX",
    "ReduceMin": "REDUCE_MIN",
    "ReduceProd": "REDUCE_PROD",
}
_GLOBAL = {"GlobalAveragePool": "MEAN", "GlobalMaxPool": "REDUCE_MAX"}


@lowering(*_CODES, check=lambda node: needs_constants(node, "its axes are", 1), needs="constant axes")
def reduce(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """Over any axes."""
    x = builder.get(node.inputs[0])
    rank = len(x.shape)
    axes = hub.reduced_axes(node)
    assert axes is not None
    if not axes:
        return x
    kept = [1 if a in axes else n for a, n in enumerate(shape(node.inputs[0]))]
    stored_axes = sorted(layout.axis(a, rank) for a in axes)
    reduced = builder.add(_CODES[node.op_type], [x, builder.integers(stored_axes)], layout.shape(kept), keepDims=True)
    if hub.integer(node, "keepdims", 1):
        return reduced
    return builder.reshape_graph(reduced, kept, shape(node.outputs[0]))


@lowering(*_GLOBAL, check=lambda node: needs_rank(node, 4), needs="four axes")
def global_pool(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """Over height and width."""
    x = builder.get(node.inputs[0])
    return builder.add(
        _GLOBAL[node.op_type], [x, builder.integers([1, 2])], (x.shape[0], 1, 1, x.shape[3]), keepDims=True
    )
