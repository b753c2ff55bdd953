"""A transposed convolution becomes a plain one that writes the packed picture, and a pixel shuffle."""

import onnx_ir as ir

from pocketlens.converters.rewrites import edit, packing
from pocketlens.converters.rewrites.window import Window, bias_for, window


class SubPixelConv(ir.passes.InPlacePass):
    """Compute a ConvTranspose of stride s as a Conv with s² times the channels, then DepthToSpace.

    Exact: output ``Y`` of a transposed convolution sums ``weight[t] * x[(Y + pad - t * dilation) / s]`` over the taps for which that is
    a whole number. Which taps these are depends only on ``Y`` modulo s, so each phase is a plain convolution of the small
    picture, and all s² phases together are one whose channels DepthToSpace lays out (:mod:`~pocketlens.converters.rewrites.packing`).

    Phases of an even kernel read windows that are shifted against each other, which one kernel can only hold with zeros in
    between. Starting the blocks one pixel earlier lines them up: the block's row more is computed, and cut off at
    both ends. The start with the smallest kernel is taken, the first of those.

    The pass needs one group, constant weights, and the same stride along both axes. Sizes may be odd: blocks that stand over are cut.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite every place where it applies."""
        modified = False
        for node in tuple(model.graph):
            found = window(node, "ConvTranspose")
            if found is not None and _rewrite(model, node, found):
                modified = True
        return ir.passes.PassResult(model, modified)


def _rewrite(model: ir.Model, node: ir.Node, found: Window) -> bool:
    stride = found.strides[0]
    if stride < 2 or found.strides[1] != stride:
        return False
    forms = [(form, shift) for shift in range(stride) if (form := _axes(found, stride, shift)) is not None]
    if not forms:
        return False
    (rows, columns), shift = min(forms, key=lambda one: (one[0][0].kernel * one[0][1].kernel, one[1]))
    editor = edit.Editor(model, node)
    weight = packing.kernel(found.weight, rows, columns, (1, stride))
    shape = (found.out[0], weight.shape[0], rows.count, columns.count)
    pads = ir.AttrInt64s("pads", [rows.pads[0], columns.pads[0], rows.pads[1], columns.pads[1]])
    inputs = [found.x, editor.constant(weight, "weight"), *bias_for(editor, found.bias, stride**2)]
    packed = editor.make("Conv", inputs, shape, [pads])
    edit.replace(node.outputs[0], packing.unpack(editor, packed, stride, found.out, shift))
    return True


def _axes(found: Window, stride: int, shift: int) -> tuple[packing.Axis, packing.Axis] | None:
    made = []
    for i in range(2):

        def reads(pixel: int, tap: int, i: int = i) -> int | None:
            place = pixel + found.pads[i] - tap * found.dilations[i]
            return place // stride if place % stride == 0 else None

        lengths = (found.sizes[i], found.out[i + 2])
        made.append(packing.axis(reads, found.taps[i], lengths, (1, stride), shift))
    rows, columns = made
    return None if rows is None or columns is None else (rows, columns)
