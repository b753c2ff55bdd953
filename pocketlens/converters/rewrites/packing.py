"""Packed pictures: each block of pixels is one pixel with a channel for each place in the block.

A convolution, a transposed one, and a convolution of an enlarged picture all say, along each axis, which pixel ``X`` of
the input the tap ``t`` of output pixel ``Y`` reads. Write ``Y = out_block * q + r - shift`` and
``X = in_block * p + e``. Where moving ``q`` by one moves every read ``p`` by one, the whole is a plain convolution of
stride 1 between the packed pictures: the weight of tap ``t`` stands at kernel place ``p - least``, between the input
channels of place ``e`` and the output channels of place ``r``. Every product of the original is there once, all other
weights are zero, so the sums are the same up to their order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.conv_window import ConvWindow, repeat_bias

Weights = NDArray[np.generic]


@dataclass(frozen=True)
class Axis:
    """How a packed convolution reads along one axis.

    Attributes:
        taps: ``(r, t, e, place)``: output place in its block, tap, input place in its block, place in the packed
            kernel.
        kernel: Length of the packed kernel.
        pads: Zeros before and after, in packed pixels.
        count: Packed output pixels.
    """

    taps: tuple[tuple[int, int, int, int], ...]
    kernel: int
    pads: tuple[int, int]
    count: int


def axis(
    reads: Callable[[int, int], int | None],
    taps: int,
    lengths: tuple[int, int],
    blocks: tuple[int, int],
    shift: int = 0,
) -> Axis | None:
    """The packed form of one axis; None if it would need negative pads, or reads nothing.

    Args:
        reads: The input pixel that tap ``t`` of output pixel ``Y`` reads, or None if that tap reads nothing there. What
            lies outside the input is zero.
        taps: How many there are.
        lengths: Of the input, a multiple of its block, and of the output.
        blocks: Of the input and of the output.
        shift: How many pixels before the first the first output block starts.
    """
    (length, out), (in_block, out_block) = lengths, blocks
    read_places = []
    for r in range(out_block):
        for t in range(taps):
            pixel = reads(r - shift, t)
            if pixel is not None:
                read_places.append((r, t, pixel % in_block, pixel // in_block))
    if not read_places:
        return None
    least, most = min(p for *_, p in read_places), max(p for *_, p in read_places)
    count = -(-(out + shift) // out_block)
    pads = (-least, count - 1 + most - (length // in_block - 1))
    if min(pads) < 0:
        return None
    return Axis(tuple((r, t, e, p - least) for r, t, e, p in read_places), most - least + 1, pads, count)


def kernel(weight: Weights, rows: Axis, columns: Axis, blocks: tuple[int, int]) -> NDArray[np.float32]:
    """The packed kernel, ``[out * out_block², in * in_block², height, width]``.

    Channels of a packed picture are ordered by channel, then by place in the block: ``CRD``, as torch shuffles pixels.

    Args:
        weight: ``[out, in, height, width]``.
        rows: The vertical axis.
        columns: The horizontal axis.
        blocks: Of the input and of the output.
    """
    in_block, out_block = blocks
    out, depth = weight.shape[:2]
    weight64 = weight.astype(np.float64)
    packed = np.zeros((out, out_block, out_block, depth, in_block, in_block, rows.kernel, columns.kernel))
    for r, t, e, p in rows.taps:
        for r2, t2, e2, p2 in columns.taps:
            packed[:, r, r2, :, e, e2, p, p2] += weight64[:, :, t, t2]
    shape = (out * out_block**2, depth * in_block**2, rows.kernel, columns.kernel)
    return packed.reshape(shape).astype(np.float32)


def packed_conv(editor: edit.Editor, x: ir.Value, window: ConvWindow, axes: tuple[Axis, Axis], block: int) -> ir.Value:
    """The Conv of ``x`` that computes blocks of pixels, with an output channel for each place in the block (``CRD``).

    Args:
        editor: Adds it.
        x: What it reads; not packed.
        window: The convolution that it replaces.
        axes: How it reads, vertically and horizontally.
        block: Pixels of a block along each axis; 1 for a single phase.
    """
    rows, columns = axes
    weight = kernel(window.weight, rows, columns, (1, block))
    shape = (window.out[0], weight.shape[0], rows.count, columns.count)
    pads = ir.AttrInt64s("pads", [rows.pads[0], columns.pads[0], rows.pads[1], columns.pads[1]])
    inputs = [x, editor.constant(weight, "weight"), *repeat_bias(editor, window.bias, block**2)]
    return editor.add("Conv", inputs, shape, [pads])


def unpack(
    editor: edit.Editor,
    packed: ir.Value,
    block: int,
    shape: tuple[int, ...],
    shift: int = 0,
    order: str = "CRD",
) -> ir.Value:
    """DepthToSpace of channels in an order, and a Slice where blocks stand over; ``shape`` is that of the result."""
    packed_shape = edit.shape_of(packed)
    assert packed_shape is not None
    picture_shape = (packed_shape[0], packed_shape[1] // block**2, packed_shape[2] * block, packed_shape[3] * block)
    attributes = [ir.AttrInt64("blocksize", block), ir.AttrString("mode", order)]
    picture = editor.add("DepthToSpace", [packed], picture_shape, attributes)
    if picture_shape == shape:
        return picture
    bounds = [np.array(v, np.int64) for v in ((shift, shift), (shift + shape[2], shift + shape[3]), (2, 3))]
    names = ("starts", "ends", "axes")
    inputs = [editor.constant(array, name) for array, name in zip(bounds, names, strict=True)]
    return editor.add("Slice", [picture, *inputs], shape)
