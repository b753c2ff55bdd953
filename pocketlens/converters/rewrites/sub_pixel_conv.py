"""A transposed convolution becomes plain ones that write packed channels, and a pixel shuffle."""

import onnx_ir as ir

from pocketlens.converters.rewrites import edit, packing
from pocketlens.converters.rewrites.conv_window import ConvWindow, conv_window
from pocketlens.converters.rewrites.passes import NodePass

MIN_CHANNELS_APART = 16
"""Output channels from which each phase is a convolution of its own: as many as runtimes compute at once."""


class SubPixelConv(NodePass):
    """Compute a ConvTranspose of stride s as Convs with s² times the channels in all, then DepthToSpace.

    Exact: output ``Y`` of a transposed convolution sums ``weight[t] * x[(Y + pad - t * dilation) / s]`` over the taps
    for which that is a whole number. Which taps these are depends only on ``Y`` modulo s, so each of the s² phases is a
    plain convolution of the small picture with its share of the taps, and DepthToSpace lays the phases out
    (:mod:`~pocketlens.converters.rewrites.packing`).

    With :data:`MIN_CHANNELS_APART` channels or more each phase is its own Conv: not one product more than the
    original's. Fewer channels share one Conv for all phases. Their windows may be shifted against each other, which one
    kernel can only hold with zeros in between; starting the blocks some pixels early lines them up, and what stands
    over at both ends is cut off. The start with the smallest kernel is taken, the first of those.

    The pass needs one group, constant weights, and the same stride along both axes. Sizes may be odd.
    """

    operators = ("ConvTranspose",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        window = conv_window(node, "ConvTranspose")
        if window is None or window.strides[0] < 2 or window.strides[1] != window.strides[0]:
            return False
        editor = edit.Editor(model, node)
        picture = _phase_by_phase(editor, window) or _all_phases_together(editor, window)
        if picture is not None:
            edit.replace(node.outputs[0], picture)
        return picture is not None


def _phase_by_phase(editor: edit.Editor, window: ConvWindow) -> ir.Value | None:
    """A Conv a phase; None where there are too few channels, or the size is not one of whole blocks."""
    stride = window.strides[0]
    if window.out[1] < MIN_CHANNELS_APART or window.out[2] % stride or window.out[3] % stride:
        return None
    axes_of_phases = []
    for place in range(stride**2):
        rows, columns = _axis(window, 0, 1, place // stride), _axis(window, 1, 1, place % stride)
        if rows is None or columns is None:
            return None
        axes_of_phases.append((rows, columns))
    parts = [packing.packed_conv(editor, window.x, window, axes, 1) for axes in axes_of_phases]
    packed_shape = (window.out[0], window.out[1] * stride**2, window.out[2] // stride, window.out[3] // stride)
    packed = editor.add("Concat", parts, packed_shape, [ir.AttrInt64("axis", 1)])
    return packing.unpack(editor, packed, stride, window.out, order="DCR")


def _all_phases_together(editor: edit.Editor, window: ConvWindow) -> ir.Value | None:
    """One Conv for all phases, and the shuffle; None if no start of the blocks fits."""
    stride = window.strides[0]
    forms = [(axes, shift) for shift in range(stride) if (axes := phases(window, shift)) is not None]
    if not forms:
        return None
    axes, shift = min(forms, key=lambda form: (form[0][0].kernel * form[0][1].kernel, form[1]))
    return packing.unpack(
        editor, packing.packed_conv(editor, window.x, window, axes, stride), stride, window.out, shift
    )


def phases(window: ConvWindow, shift: int) -> tuple[packing.Axis, packing.Axis] | None:
    """How all phases of a transposed convolution read together, if blocks start ``shift`` pixels early."""
    rows, columns = (_axis(window, i, window.strides[0], -shift) for i in range(2))
    return None if rows is None or columns is None else (rows, columns)


def _axis(window: ConvWindow, i: int, block: int, start: int) -> packing.Axis | None:
    """How blocks that start at pixels ``stride * q + start`` read along axis i; of a block of one pixel there is one a
    stride.
    """
    stride = window.strides[0]

    def reads(pixel: int, tap: int) -> int | None:
        place = pixel + start + window.pads[i] - tap * window.dilations[i]
        return place // stride if place % stride == 0 else None

    shift = max(-start, 0)
    out = window.out[i + 2] + shift if block > 1 else window.out[i + 2] // stride
    return packing.axis(reads, window.taps[i], (window.sizes[i], out), (1, block))
