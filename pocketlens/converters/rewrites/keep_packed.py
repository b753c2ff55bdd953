"""Between a convolution that writes blocks of pixels and one that reads them the picture stays packed."""

import onnx_ir as ir

from pocketlens.converters.rewrites import edit, packing
from pocketlens.converters.rewrites.conv_window import ConvWindow, conv_window
from pocketlens.converters.rewrites.packed_form import has_packed_form, packed_form
from pocketlens.converters.rewrites.passes import NodePass

MAX_PRODUCTS_RATIO = 1.5
"""Most products of the packed convolution for each of the one that it replaces."""


class KeepPacked(NodePass):
    """Drop the DepthToSpace in front of a Conv whose stride is its block, past everything that can be computed packed.

    Exact: output ``Y`` of the Conv reads inputs ``block * Y + t - pad = block * p + e``, so on the packed picture it is
    a Conv of stride 1 (:mod:`~pocketlens.converters.rewrites.packing`). What stands between is computed in its packed
    form (:mod:`~pocketlens.converters.rewrites.packed_form`).

    The pass needs that everything between has one reader, that every path upwards ends at a DepthToSpace of that block,
    a ConvTranspose of that stride, or a constant, and a kernel that packing fills with no more than
    :data:`MAX_PRODUCTS_RATIO` times the products.
    """

    operators = ("Conv",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        window = conv_window(node, "Conv")
        block = window.strides[0] if window is not None else 1
        if window is None or block < 2 or window.strides[1] != block or not has_packed_form(window.x, block):
            return False
        rows, columns = (_axis(window, i, block) for i in range(2))
        return rows is not None and columns is not None and _rewrite(model, node, window, (rows, columns), block)


def _axis(window: ConvWindow, i: int, block: int) -> packing.Axis | None:
    def reads(pixel: int, tap: int) -> int:
        return block * pixel + tap * window.dilations[i] - window.pads[i]

    return packing.axis(reads, window.taps[i], (window.sizes[i], window.out[i + 2]), (block, 1))


def _rewrite(
    model: ir.Model, node: ir.Node, window: ConvWindow, axes: tuple[packing.Axis, packing.Axis], block: int
) -> bool:
    rows, columns = axes
    weight = packing.kernel(window.weight, rows, columns, (block, 1))
    if weight.size > MAX_PRODUCTS_RATIO * window.weight.size:
        return False
    editor = edit.Editor(model, node)
    pads = ir.AttrInt64s("pads", [rows.pads[0], columns.pads[0], rows.pads[1], columns.pads[1]])
    inputs = [packed_form(editor, window.x, block), editor.constant(weight, "weight")]
    inputs += [] if window.bias is None else [window.bias]
    edit.replace(node.outputs[0], editor.add("Conv", inputs, window.out, [pads]))
    return True
