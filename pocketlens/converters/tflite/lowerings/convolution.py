"""Convolutions: full, depthwise and grouped."""

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.lowering import floats, needs_constants, rank, shape
from pocketlens.converters.tflite.builder import Tensor, TFLiteBuilder
from pocketlens.converters.tflite.lowerings.windows import AxisWindow, check_windows, pad_for, windows
from pocketlens.converters.tflite.registry import lowering
from pocketlens.converters.tflite.weights import channel_scales

Kernel = NDArray[np.float32]
_LANES = 4
"""Channels that LiteRT's GPU engine keeps in one pixel."""


@lowering(
    "Conv",
    check=lambda node: check_weights(node) or check_windows(node),
    needs="two spatial axes, constant weights, no negative pads",
)
def conv(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """CONV_2D or DEPTHWISE_CONV_2D."""
    kernel, bias = kernel_and_bias(builder, node)
    rows, columns = windows(node, kernel.shape[2:])
    dilations = hub.ints(node, "dilations", (1, 1))
    groups = hub.integer(node, "group", 1)
    x = builder.get(node.inputs[0])
    return add_convolution(builder, x, kernel, bias, rows, columns, groups, dilations, channel_scales(node, 0))


def add_convolution(
    builder: TFLiteBuilder,
    x: Tensor,
    kernel: Kernel,
    bias: Tensor,
    rows: AxisWindow,
    columns: AxisWindow,
    groups: int = 1,
    dilations: tuple[int, ...] = (1, 1),
    scales: NDArray[np.float32] | None = None,
) -> Tensor:
    """Add a convolution.

    Args:
        builder: Where to.
        x: The picture.
        kernel: In the graph's order, ``[out, in / groups, height, width]``.
        bias: One number an output channel. Never left out: without it XNNPACK takes no convolution.
        rows: The vertical window.
        columns: The horizontal window.
        groups: Equal to the input's channels for a depthwise convolution.
        dilations: Vertical and horizontal.
        scales: Of each output channel, where the kernel is quantized to 8 bits.
    """
    x, padding = pad_for(builder, x, rows, columns)
    options: dict[str, Any] = {
        "padding": padding,
        "strideH": rows.stride,
        "strideW": columns.stride,
        "dilationHFactor": dilations[0],
        "dilationWFactor": dilations[1],
    }
    out = (x.shape[0], rows.out, columns.out, kernel.shape[0])
    if groups > 1 and groups == x.shape[3]:
        # ONNX orders the outputs of a depthwise convolution by channel, then by multiple: TFLite does as well.
        filters = builder.weights(kernel.transpose(1, 2, 3, 0), scales, 3)
        options["depthMultiplier"] = kernel.shape[0] // groups
        return builder.add("DEPTHWISE_CONV_2D", [x, filters, bias], out, 1 if dilations == (1, 1) else 2, **options)
    kernel, groups = _wide_groups(kernel, groups)
    # The schema has no field for groups: TFLite takes them from the filter's depth.
    filters = builder.weights(kernel.transpose(0, 2, 3, 1), scales, 0)
    return builder.add("CONV_2D", [x, filters, bias], out, 1 if groups == 1 else 6, **options)


def _wide_groups(kernel: Kernel, groups: int) -> tuple[Kernel, int]:
    """The same with fewer groups, of a multiple of four channels each: neighbours become one, with zeros between them.

    LiteRT's GPU engine computes other groups wrongly or crashes (docs/upstream.md). Where no number of neighbours will
    do, all groups become one.
    """
    outputs, inputs = kernel.shape[0] // groups, kernel.shape[1]
    if groups == 1 or outputs % _LANES == inputs % _LANES == 0:
        return kernel, groups
    joins = (n for n in range(2, groups) if groups % n == 0 and outputs * n % _LANES == inputs * n % _LANES == 0)
    joined = next(joins, groups)
    wide = np.zeros((kernel.shape[0], joined * inputs, *kernel.shape[2:]), np.float32)
    for group in range(groups):
        rows, first = slice(group * outputs, (group + 1) * outputs), group % joined * inputs
        wide[rows, first : first + inputs] = kernel[rows]
    return wide, groups // joined


def kernel_and_bias(builder: TFLiteBuilder, node: ir.Node) -> tuple[Kernel, Tensor]:
    """The kernel of a convolution in the graph's order, and its bias, zeros if it has none."""
    kernel, bias = floats(node, 1), floats(node, 2)
    assert kernel is not None
    if bias is None:
        bias = np.zeros(shape(node.outputs[0])[1], np.float32)
    return kernel, builder.constant(bias.reshape(-1))


def check_weights(node: ir.Node) -> str:
    """A reason if weights are computed, or the convolution is not over two axes."""
    if reason := needs_constants(node, "its weights are", 1, 2):
        return reason
    return "" if rank(node.inputs[1]) == 4 else f"its kernel has rank {rank(node.inputs[1])}, expected 4"
