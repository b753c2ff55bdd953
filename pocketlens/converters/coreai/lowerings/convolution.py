"""Convolutions and transposed convolutions."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_convolution
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var, signed, unsigned
from pocketlens.converters.coreai.registry import lowering
from pocketlens.converters.lowering import floats, shape
from pocketlens.converters.windows import conv_window, transposed_crop

_NEEDS = "two spatial axes, constant weights"


def _groups(node: ir.Node) -> np.uint32:
    return np.array(hub.integer(node, "group", 1), np.uint32)  # type: ignore[return-value]


def _add_bias(builder: CoreAIBuilder, y: Var, node: ir.Node) -> Var:
    """A sum: Core AI's convolutions have no bias of their own, and it rounds to half precision once more.

    An instance norm takes each channel's mean off, and the bias with it. Where nothing else reads it, it is left out.
    """
    bias, output = floats(node, 2), node.outputs[0]
    readers = {reader.op_type for reader, _ in output.uses()}
    if bias is None or (readers == {"InstanceNormalization"} and not output.is_graph_output()):
        return y
    return builder.ops.broadcasting_add(y, builder.floats(bias.reshape(1, -1, 1, 1)))


def pad_spatial(builder: CoreAIBuilder, x: Var, rows: tuple[int, int], columns: tuple[int, int], value: float) -> Var:
    """A picture with rows and columns of one value before and after it."""
    if (*rows, *columns) == (0, 0, 0, 0):
        return x
    return builder.ops.pad(x, unsigned((0, 0, 0, 0, *rows, *columns)), np.array(value, builder.dtype), "constant")


@lowering("Conv", check=check_convolution, needs=_NEEDS)
def conv(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``pad``, ``conv2d`` and a sum: Core AI's convolution knows neither padding nor bias."""
    window = conv_window(node)
    top, left, bottom, right = window.pads
    x = pad_spatial(builder, builder.get(node.inputs[0]), (top, bottom), (left, right), 0)
    y = builder.ops.conv2d(
        x, builder.get(node.inputs[1]), unsigned(window.strides), unsigned(window.dilations), _groups(node)
    )
    return _add_bias(builder, y, node)


@lowering("ConvTranspose", check=check_convolution, needs=_NEEDS)
def conv_transpose(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``conv_transpose2d``, which crops the same at both ends and gives back less than a stride at the end; what it
    does not crop is cut off by a slice, and where the output goes past the kernels' reach there are zeros.
    """
    window = conv_window(node)
    begin, end = transposed_crop(node, window)
    gives_back = [start - stop for start, stop in zip(begin, end, strict=True)]
    if all(0 <= rows < stride for rows, stride in zip(gives_back, window.strides, strict=True)):
        crop, extra = begin, gives_back
    else:
        crop, extra = (max(0, min(begin[0], end[0])), max(0, min(begin[1], end[1]))), [0, 0]
    y = builder.ops.conv_transpose2d(
        builder.get(node.inputs[0]), builder.get(node.inputs[1]), unsigned(window.strides), unsigned(crop),
        unsigned(window.dilations), unsigned(extra), _groups(node),
    )  # fmt: skip
    if crop != begin or extra != gives_back:
        y = _cut(builder, y, node, (begin[0] - crop[0], begin[1] - crop[1]), (end[0] - crop[0], end[1] - crop[1]))
    return _add_bias(builder, y, node)


def _cut(builder: CoreAIBuilder, y: Var, node: ir.Node, begin: tuple[int, int], end: tuple[int, int]) -> Var:
    batch, channels, height, width = shape(node.outputs[0])
    below, right = max(0, -end[0]), max(0, -end[1])
    y = pad_spatial(builder, y, (0, below), (0, right), 0)
    if begin == (0, 0) and max(end) <= 0:
        return y
    stop = (batch, channels, begin[0] + height, begin[1] + width)
    return builder.ops.slice_(y, signed((0, 0, *begin)), signed(stop), signed((1, 1, 1, 1)))
