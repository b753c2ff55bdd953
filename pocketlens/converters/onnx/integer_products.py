"""Quantized convolutions as products of matrices, which give floats.

onnxruntime's integer convolution must round its output to 8 bits. In front of a norm that costs 10 dB, so that every
third layer had to stay in float (decision 32). Its integer product of matrices (MatMulIntegerToFloat, which it makes of
a MatMul of two DequantizeLinear) gives float sums, and uses a processor's products of bytes to the full. So the bytes
that each output pixel reads are gathered into a row of a matrix first; the sums are the same integers.

The picture is brought to channels last, where the channels of a pixel lie side by side: a tap is one piece of memory.
Where a piece would be tiny (the first convolution reads 3 bytes a pixel), several neighbouring pixels are computed at
once from blocks of pixels, with zeros among the weights. Where there would be many pieces for few outputs (the last
convolution), rows are gathered only over the kernel's height; each column of the kernel gets outputs of its own, and
these are added up where they overlap.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes import common

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.onnx.product_windows import AxisWindow, conv_axis, spread_kernel, transposed_axis
from pocketlens.converters.quantization.products import FEW_OUTPUTS
from pocketlens.converters.rewrites import edit

FEW_CHANNELS = 8
"""Inputs of fewer channels are read in blocks of pixels."""


def use_integer_products(model: ir.Model) -> int:
    """Turn every quantized convolution of one group whose output stays float into a product, in place.

    Returns:
        How many there were.
    """
    convolutions = [conv for node in tuple(model.graph) if (conv := _quantized(node)) is not None]
    for conv in convolutions:
        edit.replace(conv.node.outputs[0], _product(_Writer(model, conv.node), conv))
    common.RemoveUnusedNodesPass()(model)  # and the weights in their old order
    return len(convolutions)


@dataclass(frozen=True, eq=False)
class _Convolution:
    """A convolution of bytes.

    Attributes:
        node: Conv or ConvTranspose.
        picture: What it reads, DequantizeLinear's output.
        weight: ``int8 [taps down, taps across, in, phases of rows, phases of columns, out]``.
        scales: Of each output channel.
        rows: How rows are read; ``columns`` likewise.
        bias: A number for each output channel, or None.
    """

    node: ir.Node
    picture: ir.Node
    weight: NDArray[np.int8]
    scales: NDArray[np.float32]
    rows: AxisWindow
    columns: AxisWindow
    bias: NDArray[np.float32] | None


def _quantized(node: ir.Node) -> _Convolution | None:
    """What a node does, if it is a convolution of bytes of one group whose output stays float."""
    if node.op_type not in ("Conv", "ConvTranspose") or node.domain or hub.integer(node, "group", 1) != 1:
        return None
    picture, kernel = (edit.producer(value, "DequantizeLinear") for value in node.inputs[:2])
    if picture is None or kernel is None or len(picture.inputs) < 3 or _is_rounded(node.outputs[0]):
        return None
    before, after = edit.shape_of(node.inputs[0]), edit.shape_of(node.outputs[0])
    weight, scales = constant(kernel.inputs[0]), constant(kernel.inputs[1])
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if before is None or after is None or len(before) != 4 or weight is None or scales is None:
        return None
    if weight.dtype != np.int8 or (len(kernel.inputs) > 2 and np.any(constant(kernel.inputs[2]))):
        return None
    if picture.inputs[0].dtype != ir.DataType.UINT8 or (len(node.inputs) > 2 and node.inputs[2] and bias is None):  # type: ignore[union-attr]
        return None
    if hub.text(node, "auto_pad", "NOTSET") != "NOTSET" or "output_shape" in node.attributes:
        return None
    axis_of = conv_axis if node.op_type == "Conv" else transposed_axis
    rows, columns = (axis_of(node, axis, weight.shape[axis + 2], before, after) for axis in (0, 1))
    if rows is None or columns is None:
        return None
    taps = weight.transpose(2, 3, 1, 0) if node.op_type == "Conv" else weight.transpose(2, 3, 0, 1)
    out = taps.shape[3]
    whole = spread_kernel(taps.astype(np.int8), rows, columns)
    each = np.broadcast_to(scales.reshape(-1), (out,)).astype(np.float32)
    reader = edit.only_consumer(node.outputs[0])
    if reader is not None and reader.op_type == "InstanceNormalization":
        bias = None  # the norm takes it off again, and here it would be a pass over the picture
    shift = None if bias is None else bias.astype(np.float32)
    return _Convolution(node, picture, whole, each, rows, columns, shift)


def _is_rounded(value: ir.Value) -> bool:
    """Whether a convolution's output is rounded at once, behind a Relu or not: that is onnxruntime's own kernel."""
    reader = edit.only_consumer(value)
    if reader is not None and reader.op_type == "Relu":
        reader = edit.only_consumer(reader.outputs[0])
    return reader is not None and reader.op_type == "QuantizeLinear"


class _Writer(edit.Editor):
    """Adds nodes of bytes as well as of floats."""

    def bytes(
        self, operator: str, inputs: list[ir.Value | None], shape: tuple[int, ...], *attributes: ir.Attr
    ) -> ir.Value:
        value = self.add(operator, inputs, shape, attributes)
        value.type = ir.TensorType(ir.DataType.UINT8)
        return value

    def integers(self, numbers: list[int], name: str) -> ir.Value:
        return self.constant(np.array(numbers, np.int64), name)

    def reshaped(self, value: ir.Value, *shape: int) -> ir.Value:
        result = self.reshape(value, shape)
        result.type = value.type
        return result


def _product(writer: _Writer, conv: _Convolution) -> ir.Value:
    """The convolution's output ``[1, out, H, W]``."""
    quantized, scale, zero = conv.picture.inputs[:3]
    assert quantized is not None
    batch, channels, height, width = hub.static_shape(quantized)
    rows, columns, weight = conv.rows, conv.columns, conv.weight
    picture = writer.bytes(
        "Transpose", [quantized], (batch, height, width, channels), ir.AttrInt64s("perm", [0, 2, 3, 1])
    )
    block, many = 1, 1
    if channels < FEW_CHANNELS and columns.taps > 1:
        columns, weight, block, many = _in_blocks(columns, weight)
    height, width = rows.before + height + rows.after, columns.before + width + columns.after
    if (rows.before, rows.after, columns.before, columns.after) != (0, 0, 0, 0):
        pads = writer.integers([0, rows.before, columns.before, 0, 0, rows.after, columns.after, 0], "pads")
        picture = writer.bytes("Pad", [picture, pads, zero], (batch, height, width, channels))
    width, channels = width // block, channels * block
    outputs = weight.shape[3] * weight.shape[4] * weight.shape[5]
    added = many == 1 and columns.taps > 1 and columns.is_plain and columns.taps * outputs <= FEW_OUTPUTS
    gathered = AxisWindow(0, 0, 1, 1, 1, width) if added else columns
    if added:  # [taps down, in, taps across, outputs]: each column of the kernel has outputs of its own
        weight = weight.swapaxes(1, 2)
    matrix = np.ascontiguousarray(weight).reshape(rows.taps * gathered.taps * channels, -1)
    sums = _gathered_product(writer, conv, (picture, scale, zero), (rows, gathered), matrix, (batch, width, channels))
    if added:
        sums = _added_columns(writer, sums, columns, outputs)
    return _as_picture(writer, conv, sums, many)


def _in_blocks(columns: AxisWindow, weight: NDArray[np.int8]) -> tuple[AxisWindow, NDArray[np.int8], int, int]:
    """The same convolution over blocks of pixels: two blocks hold all that several outputs read.

    Returns:
        How blocks are read, their weights, the pixels of a block and the outputs that are computed from it at once;
        the arguments with 1 and 1 where the outputs do not divide.
    """
    many = 1
    while many * columns.stride < columns.reach - columns.stride:
        many *= 2
    if columns.count % many or columns.dilation != 1 or many == 1:
        return columns, weight, 1, 1
    down, taps, depth, *phases = weight.shape
    block = many * columns.stride
    packed = np.zeros((down, 2 * block, depth, many, *phases), np.int8)
    for output in range(many):
        start = output * columns.stride
        packed[:, start : start + taps, :, output] = weight
    packed = packed.reshape(down, 2, block * depth, 1, 1, -1)  # outputs lie side by side, as pixels do
    length = columns.before + columns.length + columns.after
    after = columns.after + (columns.count // many + 1) * block - length
    return AxisWindow(columns.before, after, 2, 1, 1, columns.count // many, columns.length), packed, block, many


def _gathered_product(
    writer: _Writer,
    conv: _Convolution,
    picture: tuple[ir.Value, ir.Value | None, ir.Value | None],
    windows: tuple[AxisWindow, AxisWindow],
    matrix: NDArray[np.int8],
    shape: tuple[int, int, int],
) -> ir.Value:
    """``float32 [batch, H, W, outputs]``: what each position reads, as a row of bytes, times the matrix."""
    (source, scale, zero), (rows, columns), (batch, width, channels) = picture, windows, shape
    pieces = rows.taps * columns.taps
    count = rows.count * columns.count
    height = hub.static_shape(source)[1]
    source = writer.reshaped(source, batch, height * width, channels)
    first = np.add.outer(np.arange(rows.count) * rows.stride * width, np.arange(columns.count) * columns.stride)
    behind = np.add.outer(np.arange(rows.taps) * rows.dilation * width, np.arange(columns.taps) * columns.dilation)
    where = _sums_of_indices(writer, first, behind, "pieces")
    read = writer.bytes("Gather", [source, where], (batch, count, pieces, channels), ir.AttrInt64("axis", 1))
    read = writer.reshaped(read, batch * count, pieces * channels)
    floats = writer.add("DequantizeLinear", [read, scale, zero], (batch * count, pieces * channels))
    scales = np.tile(conv.scales, matrix.shape[1] // conv.scales.size)
    weights = writer.add(
        "DequantizeLinear",
        [writer.constant(matrix, "matrix"), writer.constant(scales, "scales")],
        matrix.shape,
        [ir.AttrInt64("axis", 1)],
    )
    sums = writer.add("MatMul", [floats, weights], (batch * count, matrix.shape[1]))
    return writer.reshape(sums, (batch, rows.count, columns.count, matrix.shape[1]))


def _added_columns(writer: _Writer, sums: ir.Value, columns: AxisWindow, outputs: int) -> ir.Value:
    """The outputs of the kernel's columns, each shifted by its column, added up."""
    batch, height, *_ = hub.static_shape(sums)
    shape, total = (batch, height, columns.count, outputs), None
    axes = writer.integers([2, 3], "axes")
    for tap in range(columns.taps):
        begin = writer.integers([tap, tap * outputs], f"begin_{tap}")
        end = writer.integers([tap + columns.count, (tap + 1) * outputs], f"end_{tap}")
        part = writer.add("Slice", [sums, begin, end, axes], shape)
        total = part if total is None else writer.add("Add", [total, part], shape)
    assert total is not None
    return total


def _as_picture(writer: _Writer, conv: _Convolution, sums: ir.Value, many: int) -> ir.Value:
    """From ``[batch, H, W, phases and outputs]`` to ``[batch, out, H, W]``, with the bias."""
    batch, height, width, _ = hub.static_shape(sums)
    down, across = conv.rows.phases, conv.columns.phases
    out, width = conv.scales.size, width * many
    if conv.bias is not None and conv.bias.any():
        sums = writer.reshape(sums, (batch, height, width, down * across * out))
        term = writer.constant(np.tile(conv.bias.reshape(-1), down * across).astype(np.float32), "bias")
        sums = writer.add("Add", [sums, term], hub.static_shape(sums))
    if (down, across) != (1, 1):
        sums = writer.reshape(sums, (batch, height, width, down, across, out))
        order = [ir.AttrInt64s("perm", [0, 1, 3, 2, 4, 5])]
        sums = writer.add("Transpose", [sums], (batch, height, down, width, across, out), order)
        height, width = height * down, width * across
    sums = writer.reshape(sums, (batch, height, width, out))
    # Channels first in two steps, of which the second moves whole rows: half the time of a single Transpose, whose
    # steps of a power of two fall on one another in the processor's cache.
    rows = writer.add("Transpose", [sums], (batch, height, out, width), [ir.AttrInt64s("perm", [0, 1, 3, 2])])
    rows = writer.reshape(rows, (batch, height * out, width))
    where = _sums_of_indices(writer, np.arange(out), np.arange(height) * out, "rows")
    return writer.add("Gather", [rows, where], (batch, out, height, width), [ir.AttrInt64("axis", 1)])


def _sums_of_indices(writer: _Writer, down: NDArray[np.integer], across: NDArray[np.integer], name: str) -> ir.Value:
    """``int32 [len(down), len(across)]``: onnxruntime adds them up when it loads, and the file stays small."""
    terms = [
        writer.constant(down.reshape(-1, 1).astype(np.int32), f"{name}_down"),
        writer.constant(across.reshape(1, -1).astype(np.int32), f"{name}_across"),
    ]
    where = writer.add("Add", terms, (down.size, across.size))
    where.type = ir.TensorType(ir.DataType.INT32)
    return where
