"""Means, sums and extremes over axes."""

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.tflite import layout
from pocketlens.converters.tflite.draft import Draft, Refused, Tensor
from pocketlens.converters.tflite.registry import lowers

_CODES = {"ReduceMean": "MEAN", "ReduceSum": "SUM", "ReduceMax": "REDUCE_MAX", "ReduceMin": "REDUCE_MIN"}
_GLOBAL = {"GlobalAveragePool": "MEAN", "GlobalMaxPool": "REDUCE_MAX"}


@lowers(*_CODES, needs="constant axes")
def reduce(draft: Draft, node: ir.Node) -> Tensor:
    """Over any axes."""
    x = draft.of(node.inputs[0])
    rank = len(x.shape)
    source, axes = node.inputs[0], hub.reduced_axes(node)
    assert source is not None
    if axes is None:
        raise Refused("its axes are computed, not constant")
    if not axes:
        return x
    kept = [1 if a in axes else n for a, n in enumerate(hub.static_shape(source))]
    stored_axes = sorted(layout.axis(a, rank) for a in axes)
    reduced = draft.add(_CODES[node.op_type], [x, draft.integers(stored_axes)], layout.shape(kept), keepDims=True)
    if hub.integer(node, "keepdims", 1):
        return reduced
    return draft.reshape_graph(reduced, kept, hub.static_shape(node.outputs[0]))


@lowers(*_GLOBAL, needs="four axes")
def over_all_pixels(draft: Draft, node: ir.Node) -> Tensor:
    """Over height and width."""
    x = draft.of(node.inputs[0])
    if len(x.shape) != 4:
        raise Refused(f"its input has rank {len(x.shape)}, expected 4")
    return draft.add(_GLOBAL[node.op_type], [x, draft.integers([1, 2])], (x.shape[0], 1, 1, x.shape[3]), keepDims=True)
