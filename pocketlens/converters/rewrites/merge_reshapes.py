"""Reshapes behind one another become one, or none."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


class MergeReshapes(NodePass):
    """A chain of Reshape, Flatten, Squeeze and Unsqueeze becomes one Reshape, and none where it ends as it began.

    Exact: each of them leaves the values in their order and only says anew how long the axes are, so only the first and
    the last shape matter. A Transpose that moves nothing but axes of length 1 is a Reshape too. Needs fixed shapes.
    """

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        output = node.outputs[0]
        shape = edit.shape_of(output)
        if not node.inputs or not _is_reshape(node) or shape is None:
            return False
        start = source = node.inputs[0]
        while source is not None and (previous := source.producer()) is not None and _is_reshape(previous):
            source = previous.inputs[0]
        if source is None or edit.shape_of(source) is None or source.dtype is None:
            return False
        if edit.shape_of(source) == shape and not (
            output.is_graph_output() and (source.is_graph_input() or source.is_graph_output())
        ):
            edit.replace(output, source)
            return True
        if source is start and node.op_type != "Transpose":
            return False
        editor = edit.Editor(model, node)
        merged = editor.add("Reshape", [source, editor.constant(np.array(shape, np.int64), "shape")], shape)
        merged.dtype = source.dtype
        edit.replace(output, merged)
        return True


def _is_reshape(node: ir.Node) -> bool:
    if node.domain:
        return False
    if node.op_type == "Transpose":
        shape = edit.shape_of(node.inputs[0])
        if shape is None:
            return False
        order = hub.ints(node, "perm", tuple(reversed(range(len(shape)))))
        return [axis for axis in order if shape[axis] != 1] == [axis for axis in range(len(shape)) if shape[axis] != 1]
    return node.op_type in _RESHAPES
