"""Places of the largest values, the largest values themselves, and running sums, along one axis."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_cumulative_sum, check_extreme_place, check_top
from pocketlens.converters.lowering import integers, rank, shape
from pocketlens.converters.tflite import layout
from pocketlens.converters.tflite.builder import Tensor, TFLiteBuilder
from pocketlens.converters.tflite.registry import lowering

_INT32 = 2
"""The schema's number for it."""


@lowering("ArgMax", "ArgMin", check=check_extreme_place, needs="the first of equal values")
def extreme_place(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """ARG_MAX or ARG_MIN, which leave the axis out, and a RESHAPE where the graph keeps it."""
    x, before = builder.get(node.inputs[0]), shape(node.inputs[0])
    graph_axis = hub.integer(node, "axis", 0) % len(before)
    axis = layout.axis(graph_axis, len(before))
    code = "ARG_MAX" if node.op_type == "ArgMax" else "ARG_MIN"
    left = (*x.shape[:axis], *x.shape[axis + 1 :])
    places = builder.add(code, [x, builder.integers([axis])], left, dtype=np.int32, outputType=_INT32)
    kept = (*before[:graph_axis], 1, *before[graph_axis + 1 :])
    return builder.reshape_graph(builder.reshape(places, layout.shape(kept)), kept, shape(node.outputs[0]))


@lowering("CumSum", check=check_cumulative_sum, needs="a constant axis")
def cumulative_sum(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """CUMSUM."""
    x, axes = builder.get(node.inputs[0]), integers(node, 1)
    assert axes is not None
    count = rank(node.inputs[0])
    axis = builder.constant(np.array(layout.axis(axes[0] % count, count), np.int32))
    exclusive, reverse = (bool(hub.integer(node, name, 0)) for name in ("exclusive", "reverse"))
    return builder.add("CUMSUM", [x, axis], x.shape, exclusive=exclusive, reverse=reverse)


@lowering("TopK", check=check_top, needs="a constant number of values")
def top(builder: TFLiteBuilder, node: ir.Node) -> list[Tensor]:
    """TOPK_V2 along the last axis, between transposes where it is another; of the smallest with the sign turned."""
    x = builder.get(node.inputs[0])
    count = len(x.shape)
    axis = layout.axis(hub.integer(node, "axis", -1) % count, count)
    smallest = not hub.integer(node, "largest", 1)
    order = [i for i in range(count) if i != axis] + [axis]
    back = [order.index(i) for i in range(count)]
    moves = axis != count - 1
    x = builder.transpose(x, order) if moves else x
    x = builder.add("NEG", [x], x.shape) if smallest else x
    (k,) = integers(node, 1) or (0,)
    values = builder.add("TOPK_V2", [x, builder.constant(np.array(k, np.int32))], (*x.shape[:-1], k))
    places = builder.further_output(values, np.int32)
    values = builder.add("NEG", [values], values.shape) if smallest else values
    return [builder.transpose(tensor, back) if moves else tensor for tensor in (values, places)]
