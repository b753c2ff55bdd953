"""A transposed convolution becomes plain ones that write packed channels, and a pixel shuffle."""

import onnx_ir as ir

from pocketlens.converters.rewrites import edit, packing
from pocketlens.converters.rewrites.window import Window, bias_for, window

WIDE = 16
"""Output channels from which each phase is a convolution of its own: as many as runtimes compute at once."""


class SubPixelConv(ir.passes.InPlacePass):
    """Compute a ConvTranspose of stride s as Convs with s² times the channels in all, then DepthToSpace.

    Exact: output ``Y`` of a transposed convolution sums ``weight[t] * x[(Y + pad - t * dilation) / s]`` over the taps for which that is
    a whole number. Which taps these are depends only on ``Y`` modulo s, so each of the s² phases is a plain convolution of
    the small picture with its share of the taps, and DepthToSpace lays the phases out (:mod:`~pocketlens.converters.rewrites.packing`).

    With :data:`WIDE` channels or more each phase is its own Conv: not one product more than the original's. Fewer channels share one
    Conv for all phases. Their windows may be shifted against each other, which one kernel can only hold with zeros in
    between; starting the blocks some pixels early lines them up, and what stands over at both ends is cut off. The start with the
    smallest kernel is taken, the first of those.

    The pass needs one group, constant weights, and the same stride along both axes. Sizes may be odd.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite every place where it applies."""
        modified = False
        for node in tuple(model.graph):
            found = window(node, "ConvTranspose")
            if found is None or found.strides[0] < 2 or found.strides[1] != found.strides[0]:
                continue
            editor = edit.Editor(model, node)
            picture = _apart(editor, found) or _together(editor, found)
            if picture is not None:
                edit.replace(node.outputs[0], picture)
                modified = True
        return ir.passes.PassResult(model, modified)


def _apart(editor: edit.Editor, found: Window) -> ir.Value | None:
    """A Conv a phase; None where there are too few channels, or the size is not one of whole blocks."""
    stride = found.strides[0]
    if found.out[1] < WIDE or found.out[2] % stride or found.out[3] % stride:
        return None
    made = []
    for place in range(stride**2):
        rows, columns = _axis(found, 0, 1, place // stride), _axis(found, 1, 1, place % stride)
        if rows is None or columns is None:
            return None
        made.append((rows, columns))
    parts = [packed_conv(editor, found, axes, 1) for axes in made]
    whole = (found.out[0], found.out[1] * stride**2, found.out[2] // stride, found.out[3] // stride)
    packed = editor.make("Concat", parts, whole, [ir.AttrInt64("axis", 1)])
    return packing.unpack(editor, packed, stride, found.out, order="DCR")


def _together(editor: edit.Editor, found: Window) -> ir.Value | None:
    """One Conv for all phases, and the shuffle; None if no start of the blocks fits."""
    stride = found.strides[0]
    forms = [(axes, shift) for shift in range(stride) if (axes := phases(found, shift)) is not None]
    if not forms:
        return None
    axes, shift = min(forms, key=lambda form: (form[0][0].kernel * form[0][1].kernel, form[1]))
    return packing.unpack(editor, packed_conv(editor, found, axes, stride), stride, found.out, shift)


def phases(found: Window, shift: int) -> tuple[packing.Axis, packing.Axis] | None:
    """How all phases of a transposed convolution read together, if blocks start ``shift`` pixels early."""
    rows, columns = (_axis(found, i, found.strides[0], -shift) for i in range(2))
    return None if rows is None or columns is None else (rows, columns)


def packed_conv(editor: edit.Editor, found: Window, axes: tuple[packing.Axis, packing.Axis], block: int) -> ir.Value:
    """The Conv with an output channel for each place in the block, in the order ``CRD``; of one phase if the block is 1."""
    rows, columns = axes
    weight = packing.kernel(found.weight, rows, columns, (1, block))
    shape = (found.out[0], weight.shape[0], rows.count, columns.count)
    pads = ir.AttrInt64s("pads", [rows.pads[0], columns.pads[0], rows.pads[1], columns.pads[1]])
    inputs = [found.x, editor.constant(weight, "weight"), *bias_for(editor, found.bias, block**2)]
    return editor.make("Conv", inputs, shape, [pads])


def _axis(found: Window, i: int, block: int, start: int) -> packing.Axis | None:
    """How blocks that start at pixels ``stride * q + start`` read along axis i; of a block of one pixel there is one a stride."""
    stride = found.strides[0]

    def reads(pixel: int, tap: int) -> int | None:
        place = pixel + start + found.pads[i] - tap * found.dilations[i]
        return place // stride if place % stride == 0 else None

    shift = max(-start, 0)
    out = found.out[i + 2] + shift if block > 1 else found.out[i + 2] // stride
    return packing.axis(reads, found.taps[i], (found.sizes[i], out), (1, block))
