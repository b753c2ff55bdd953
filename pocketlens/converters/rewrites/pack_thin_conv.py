"""A large convolution to few channels is computed on the packed picture."""

import onnx_ir as ir

from pocketlens.converters.rewrites import edit, packing
from pocketlens.converters.rewrites.window import Window, bias_for, window

THIN = 4
"""Most output channels of a convolution that is thin: runtimes compute 8 or 16 at once, and throw the rest away."""

LEAST_KERNEL = 7
"""Least kernel, in pixels, for which the zeros that packing adds cost less than what it saves: from 7 x 7 the packed kernel has at most
twice the products, and a third of the lanes that are thrown away."""

_BLOCK = 2


class PackThinConv(ir.passes.InPlacePass):
    """Compute a Conv with a large kernel and few outputs on blocks of 2 x 2 pixels: SpaceToDepth, Conv, DepthToSpace.

    Exact: output ``Y = 2q + r`` reads input ``Y + t * dilation - pad = 2p + e``, and moving ``q`` by one moves ``p`` by one, so on
    packed pictures it is a plain convolution of stride 1 (:mod:`~pocketlens.converters.rewrites.packing`). A 9 x 9 kernel becomes 5 x 5 with four times the
    channels on both sides: 1.2 times the products, but on 12 output channels instead of 3.

    The pass needs one group, constant weights, stride 1, at most :data:`THIN` output channels, a kernel of at least :data:`LEAST_KERNEL`
    both ways, and even sizes in and out; an odd picture is left alone.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite every place where it applies."""
        modified = False
        for node in tuple(model.graph):
            found = window(node, "Conv")
            if found is not None and _is_thin(found) and _rewrite(model, node, found):
                modified = True
        return ir.passes.PassResult(model, modified)


def _is_thin(found: Window) -> bool:
    spans = [(taps - 1) * step + 1 for taps, step in zip(found.taps, found.dilations, strict=True)]
    even = not any(length % _BLOCK for length in (*found.sizes, *found.out[2:]))
    return even and found.out[1] <= THIN and found.strides == (1, 1) and min(spans) >= LEAST_KERNEL


def _rewrite(model: ir.Model, node: ir.Node, found: Window) -> bool:
    made = []
    for i in range(2):

        def reads(pixel: int, tap: int, i: int = i) -> int:
            return pixel + tap * found.dilations[i] - found.before[i]

        made.append(packing.axis(reads, found.taps[i], (found.sizes[i], found.out[i + 2]), (_BLOCK, _BLOCK)))
    rows, columns = made
    if rows is None or columns is None:
        return False
    editor = edit.Editor(model, node)
    weight = packing.by_place(packing.kernel(found.weight, rows, columns, (_BLOCK, _BLOCK)), _BLOCK)
    shape = (found.out[0], weight.shape[0], rows.count, columns.count)
    pads = ir.AttrInt64s("pads", [rows.pads[0], columns.pads[0], rows.pads[1], columns.pads[1]])
    small = packing.pack(editor, found.x, _BLOCK)
    inputs = [small, editor.constant(weight, "weight"), *bias_for(editor, found.bias, _BLOCK**2)]
    packed = editor.make("Conv", inputs, shape, [pads])
    edit.replace(node.outputs[0], packing.unpack(editor, packed, _BLOCK, found.out))
    return True
