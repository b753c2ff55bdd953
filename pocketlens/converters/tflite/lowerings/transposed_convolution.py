"""Transposed convolutions.

TFLite's TRANSPOSE_CONV has the output's size as an input, and derives the rows it cuts off at the start from SAME or
VALID: SAME cuts the smaller half of the surplus, VALID nothing. ONNX has ``pads``. Most generators' choices are exactly
one of the two; for the others the full output is computed and cut.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.lowering import shape
from pocketlens.converters.tflite.builder import SAME, VALID, Tensor, TFLiteBuilder
from pocketlens.converters.tflite.lowerings.convolution import Kernel, add_convolution, check_weights, kernel_and_bias
from pocketlens.converters.tflite.lowerings.windows import AxisWindow
from pocketlens.converters.tflite.registry import lowering
from pocketlens.converters.tflite.weights import channel_scales


@dataclass(frozen=True)
class _Spread:
    """A transposed convolution along one axis; ``before`` rows of the full output are cut off at the start."""

    length: int
    out: int
    kernel: int
    stride: int
    before: int

    @property
    def is_same(self) -> bool:
        total = max((self.length - 1) * self.stride + self.kernel - self.out, 0)
        return -(-self.out // self.stride) == self.length and total // 2 == self.before

    @property
    def is_valid(self) -> bool:
        return self.before == 0 and -(-(self.out - self.kernel + 1) // self.stride) == self.length

    @property
    def full(self) -> int:
        """The least output that VALID can make and that holds all rows asked for."""
        return max((self.length - 1) * self.stride + self.kernel, self.before + self.out)


def _check(node: ir.Node) -> str:
    if reason := check_weights(node):
        return reason
    rows, columns = _spreads(node)
    if min(rows.before, columns.before) < 0:
        return f"negative pads {list(hub.ints(node, 'pads', (0, 0, 0, 0)))}"
    groups = hub.integer(node, "group", 1)
    if groups != 1 and rows.stride != columns.stride:
        return f"{groups} groups with different strides {rows.stride} and {columns.stride}"
    return ""


@lowering(
    "ConvTranspose",
    check=_check,
    needs="two spatial axes, constant weights, no negative pads; more than one group only with equal strides",
)
def conv_transpose(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """TRANSPOSE_CONV, with a SLICE behind it where neither SAME nor VALID is what the graph means."""
    kernel, bias = kernel_and_bias(builder, node)
    kernel = _dilate(kernel, hub.ints(node, "dilations", (1, 1)))
    x = builder.get(node.inputs[0])
    rows, columns = _spreads(node)
    groups = hub.integer(node, "group", 1)
    if groups != 1:
        return _grouped(builder, x, kernel, bias, rows, columns, groups)
    filters = builder.weights(kernel.transpose(1, 2, 3, 0), channel_scales(node, 1), 0)

    def transpose_conv(padding: int, height: int, width: int) -> Tensor:
        out = (x.shape[0], height, width, kernel.shape[1])
        inputs = [builder.integers(out), filters, x, bias]
        # Version 3 has a bias. One of rank 4, as some converters write it, drops the operator out of XNNPACK.
        return builder.add(
            "TRANSPOSE_CONV", inputs, out, 3, padding=padding, strideH=rows.stride, strideW=columns.stride
        )

    if rows.is_same and columns.is_same:
        return transpose_conv(SAME, rows.out, columns.out)
    if rows.is_valid and columns.is_valid:
        return transpose_conv(VALID, rows.out, columns.out)
    full = transpose_conv(VALID, rows.full, columns.full)
    return builder.slice_axis(builder.slice_axis(full, 1, rows.before, rows.out), 2, columns.before, columns.out)


def _spreads(node: ir.Node) -> tuple[_Spread, _Spread]:
    size, kernel, out = shape(node.inputs[0]), shape(node.inputs[1]), shape(node.outputs[0])
    strides, dilations = hub.ints(node, "strides", (1, 1)), hub.ints(node, "dilations", (1, 1))
    pads = hub.ints(node, "pads", (0, 0, 0, 0))
    extra = hub.ints(node, "output_padding", (0, 0))
    auto_pad = hub.text(node, "auto_pad", "NOTSET")
    axes = []
    for i in range(2):
        extent = (kernel[i + 2] - 1) * dilations[i] + 1
        before = pads[i]
        if auto_pad != "NOTSET" or "output_shape" in node.attributes:
            # ONNX spreads what must be cut over both ends; the odd row goes to the end unless SAME_LOWER or NOTSET.
            total = strides[i] * (size[i + 2] - 1) + extra[i] + extent - out[i + 2]
            before = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
        axes.append(_Spread(size[i + 2], out[i + 2], extent, strides[i], before))
    return axes[0], axes[1]


def _dilate(kernel: Kernel, dilations: tuple[int, ...]) -> Kernel:
    """TRANSPOSE_CONV knows no dilation: the same kernel with zeros in between."""
    if dilations == (1, 1):
        return kernel
    height, width = ((n - 1) * d + 1 for n, d in zip(kernel.shape[2:], dilations, strict=True))
    spread = np.zeros((*kernel.shape[:2], height, width), np.float32)
    spread[:, :, :: dilations[0], :: dilations[1]] = kernel
    return spread


def _grouped(
    builder: TFLiteBuilder, x: Tensor, kernel: Kernel, bias: Tensor, rows: _Spread, columns: _Spread, groups: int
) -> Tensor:
    """TRANSPOSE_CONV knows no groups: one grouped convolution for each phase of the stride, then DEPTH_TO_SPACE.

    Row ``stride * q + r`` of the output takes every ``stride``-th row of the kernel and neighbouring rows of the input,
    so all rows of one phase ``r`` are a plain convolution of the small picture.
    """
    stride = rows.stride
    depth, height, width = (kernel.shape[0] // groups, *kernel.shape[2:])
    kernel = kernel.reshape(groups, depth, -1, height, width).swapaxes(1, 2).reshape(-1, depth, height, width)
    phases = [
        _phase(builder, x, kernel, bias, (rows, columns), (row, column), groups)
        for row in range(stride)
        for column in range(stride)
    ]
    whole = builder.concatenate(phases, 3)
    if stride > 1:
        batch, small_height, small_width, _ = whole.shape
        out = (batch, small_height * stride, small_width * stride, kernel.shape[0])
        whole = builder.add("DEPTH_TO_SPACE", [whole], out, blockSize=stride)
    return builder.slice_axis(builder.slice_axis(whole, 1, 0, rows.out), 2, 0, columns.out)


def _phase(
    builder: TFLiteBuilder,
    x: Tensor,
    kernel: Kernel,
    bias: Tensor,
    spreads: tuple[_Spread, _Spread],
    phase: tuple[int, int],
    groups: int,
) -> Tensor:
    windows = []
    for i, (spread, position) in enumerate(zip(spreads, phase, strict=True)):
        ahead, first = divmod(position + spread.before, spread.stride)
        taps = -(-spread.kernel // spread.stride)
        phase_kernel = np.zeros((*kernel.shape[: i + 2], taps, *kernel.shape[i + 3 :]), np.float32)
        picked = np.take(kernel, range(first, spread.kernel, spread.stride), axis=i + 2)
        # Reversed: output q reads input q + ahead - tap.
        np.moveaxis(phase_kernel, i + 2, 0)[taps - picked.shape[i + 2] :] = np.flip(np.moveaxis(picked, i + 2, 0), 0)
        kernel = phase_kernel
        before, out = taps - 1 - ahead, -(-spread.out // spread.stride)
        # The first and last row that any position reads: VALID would make a position of each row more.
        start, end = max(-before, 0), out + ahead
        if start >= x.shape[i + 1]:  # all that is read lies past the input, in output padding
            x = builder.pad_zeros(x, [(0, end - x.shape[i + 1] if axis == i + 1 else 0) for axis in range(4)])
        x = builder.slice_axis(x, i + 1, start, min(end, x.shape[i + 1]) - start)
        windows.append(AxisWindow(x.shape[i + 1], out, taps, 1, max(before, 0), 0))
    return add_convolution(builder, x, kernel, bias, windows[0], windows[1], groups)
