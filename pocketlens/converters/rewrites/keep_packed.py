"""Between a convolution that writes blocks of pixels and one that reads them the picture stays packed."""

import onnx_ir as ir

from pocketlens.converters.rewrites import edit, packing
from pocketlens.converters.rewrites.packed_form import has_packed_form, packed_form
from pocketlens.converters.rewrites.window import Window, window

MOST_ZEROS = 1.5
"""Most products of the packed convolution for each of the one that it replaces."""


class KeepPacked(ir.passes.InPlacePass):
    """Drop the DepthToSpace in front of a Conv whose stride is its block, past everything that can be computed packed.

    Exact: output ``Y`` of the Conv reads inputs ``block * Y + t - pad = block * p + e``, so on the packed picture it is a Conv of stride 1
    (:mod:`~pocketlens.converters.rewrites.packing`). What stands between is computed in its packed form
    (:mod:`~pocketlens.converters.rewrites.packed_form`).

    The pass needs that everything between has one reader, that every path upwards ends at a DepthToSpace of that block, a
    ConvTranspose of that stride, or a constant, and a kernel that packing fills with no more than :data:`MOST_ZEROS` times the products.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite every place where it applies."""
        modified = False
        for node in tuple(model.graph):
            found = window(node, "Conv")
            block = found.strides[0] if found is not None else 1
            if found is None or block < 2 or found.strides[1] != block or not has_packed_form(found.x, block):
                continue
            axes = [_axis(found, i, block) for i in range(2)]
            if axes[0] is not None and axes[1] is not None:
                modified |= _rewrite(model, node, found, (axes[0], axes[1]), block)
        return ir.passes.PassResult(model, modified)


def _axis(found: Window, i: int, block: int) -> packing.Axis | None:
    def reads(pixel: int, tap: int) -> int:
        return block * pixel + tap * found.dilations[i] - found.pads[i]

    return packing.axis(reads, found.taps[i], (found.sizes[i], found.out[i + 2]), (block, 1))


def _rewrite(
    model: ir.Model, node: ir.Node, found: Window, axes: tuple[packing.Axis, packing.Axis], block: int
) -> bool:
    rows, columns = axes
    weight = packing.kernel(found.weight, rows, columns, (block, 1))
    if weight.size > MOST_ZEROS * found.weight.size:
        return False
    editor = edit.Editor(model, node)
    pads = ir.AttrInt64s("pads", [rows.pads[0], columns.pads[0], rows.pads[1], columns.pads[1]])
    inputs = [packed_form(editor, found.x, block), editor.constant(weight, "weight")]
    inputs += [] if found.bias is None else [found.bias]
    edit.replace(node.outputs[0], editor.make("Conv", inputs, found.out, [pads]))
    return True
