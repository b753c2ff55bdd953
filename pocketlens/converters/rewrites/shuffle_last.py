"""The picture is unpacked last: behind the final norm and its activation."""

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit, packing
from pocketlens.converters.rewrites.packed_form import has_packed_form, packed_form
from pocketlens.converters.rewrites.passes import GraphPass


class ShuffleLast(GraphPass):
    """Move a DepthToSpace behind a norm and whatever else stands between it and the output.

    Exact: everything between is computed in its packed form (:mod:`~pocketlens.converters.rewrites.packed_form`). A
    norm over a picture of 3 channels leaves most lanes of a runtime idle; over 12 packed ones it does not. The pass
    applies where a norm stands between, and everything has one reader.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite every place where it applies."""
        modified = False
        for output in tuple(model.graph.outputs):
            block = _block(output)
            node, shape = output.producer(), edit.shape_of(output)
            if block is None or node is None or shape is None or not has_packed_form(output, block):
                continue
            editor = edit.Editor(model, node)
            edit.replace(output, packing.unpack(editor, packed_form(editor, output, block), block, shape))
            modified = True
        return ir.passes.PassResult(model, modified)


def _block(output: ir.Value) -> int | None:
    """The block of the DepthToSpace above a norm above the output, along first inputs that are no constants."""
    value, norm = output, False
    while (node := value.producer()) is not None:
        if node.op_type == "DepthToSpace":
            return hub.integer(node, "blocksize", 1) if norm else None
        norm |= node.op_type == "InstanceNormalization"
        computed = [v for v in node.inputs if v is not None and constant(v) is None]
        if not computed:
            return None
        value = computed[0]
    return None
