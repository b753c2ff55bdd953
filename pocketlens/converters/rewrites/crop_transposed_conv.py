"""ConvTranspose → Slice becomes a ConvTranspose with larger pads."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites.passes import NodePass


class CropTransposedConv(NodePass):
    """Crop the borders of a transposed convolution by its own ``pads``.

    Exact: ONNX defines ``pads`` of ConvTranspose as the rows and columns cut off the full output, so cutting k more at
    the start or end of an axis with a Slice is the same as k more pads there. The pass applies where the Slice takes
    every element (step 1) of spatial axes, is the only reader, and ``output_shape`` is not set.
    """

    operators = ("Slice",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        source = node.inputs[0]
        conv = source.producer() if source is not None else None
        if source is None or conv is None or conv.op_type != "ConvTranspose" or "output_shape" in conv.attributes:
            return False
        if hub.text(conv, "auto_pad", "NOTSET") != "NOTSET" or len(source.uses()) != 1 or source.is_graph_output():
            return False
        cuts = _cuts(node)
        if cuts is None:
            return False
        pads = list(hub.ints(conv, "pads", (0, 0, 0, 0)))
        for axis, (start, end) in cuts.items():
            pads[axis - 2] += start
            pads[axis] += end
        conv.attributes["pads"] = ir.AttrInt64s("pads", pads)
        source.shape = node.outputs[0].shape
        node.outputs[0].replace_all_uses_with(source, replace_graph_outputs=True)
        assert node.graph is not None
        node.graph.remove(node, safe=True)
        return True


def _cuts(node: ir.Node) -> dict[int, tuple[int, int]] | None:
    """Rows cut at (start, end) of each spatial axis, or None where the Slice does anything else."""
    source = node.inputs[0]
    assert source is not None
    constants = [constant(v) for v in node.inputs[1:]]
    if any(c is None for c in constants) or source.shape is None or len(source.shape) != 4:
        return None
    starts, ends = (np.asarray(c).reshape(-1).tolist() for c in constants[:2])
    axes = np.asarray(constants[2]).reshape(-1).tolist() if len(constants) > 2 else list(range(len(starts)))
    steps = np.asarray(constants[3]).reshape(-1).tolist() if len(constants) > 3 else [1] * len(starts)
    cuts: dict[int, tuple[int, int]] = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = axis % 4
        length = source.shape[place]
        if step != 1 or place < 2 or not isinstance(length, int):
            return None
        first, last, _ = slice(start, end).indices(length)
        if last <= first:
            return None
        cuts[place] = (first, length - last)
    return cuts
