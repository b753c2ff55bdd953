"""Average and maximum pooling."""

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.builder import MILBuilder, Var, vector
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import needs_rank, shape
from pocketlens.converters.windows import SpatialWindow, pool_window


def _check(node: ir.Node) -> str:
    if reason := needs_rank(node, 4):
        return reason
    if len(node.outputs) > 1:
        return "its indices are an output too"
    window = pool_window(node)
    if window.dilations != (1, 1):
        return f"its dilations are {list(window.dilations)}, and have to be 1"
    if hub.integer(node, "ceil_mode", 0) and shape(node.outputs[0])[2:] != _floored(node, window):
        return "ceil_mode adds a row or column to this size, which Core ML pads in another way"
    return ""


def _floored(node: ir.Node, window: SpatialWindow) -> tuple[int, ...]:
    height, width = shape(node.inputs[0])[2:]
    top, left, bottom, right = window.pads
    return (
        (height + top + bottom - window.kernel[0]) // window.strides[0] + 1,
        (width + left + right - window.kernel[1]) // window.strides[1] + 1,
    )


@lowering(
    "AveragePool",
    "MaxPool",
    check=_check,
    needs="two spatial axes, one output, no dilation; ceil_mode only where it adds no row or column",
)
def pool(builder: MILBuilder, node: ir.Node) -> Var:
    """``avg_pool`` or ``max_pool`` with explicit pads."""
    window = pool_window(node)
    top, left, bottom, right = window.pads
    average = node.op_type == "AveragePool"
    counts_pads = bool(hub.integer(node, "count_include_pad", 0))
    return builder.add(
        "avg_pool" if average else "max_pool",
        x=builder.get(node.inputs[0]),
        kernel_sizes=vector(window.kernel),
        strides=vector(window.strides),
        pad_type="custom",
        pad=vector([top, bottom, left, right]),
        ceil_mode=False,
        **({"exclude_padding_from_average": not counts_pads} if average else {}),
    )
