"""Nodes that give what they take are taken out."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass


class DropNoOps(NodePass):
    """Let the readers of a node that changes nothing read its input.

    Exact: each rule below holds only where every element stays what and where it is. All of them need that the output
    has the shape and type of the input; where that already says everything (a Concat of one part, a Slice or Pad that
    leaves the size), there is no more to ask. Resizing to the same size maps each pixel onto itself in every convention
    but ``tf_crop_and_resize``.
    """

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        source = node.inputs[0] if node.inputs else None
        if source is None or not _RULES.get(node.op_type, _never)(node):
            return False
        passed_on, output = _kept(node), node.outputs[0]
        if passed_on is None or not _same_kind(passed_on, output):
            return False
        if output.is_graph_output() and (passed_on.is_graph_input() or constant(passed_on) is not None):
            return False
        if output.is_graph_output() and passed_on.is_graph_output():
            return False
        edit.replace(output, passed_on)
        return True


def _kept(node: ir.Node) -> ir.Value | None:
    """The input that leaves as it came: the first, or of a sum or product the one that is no constant."""
    if node.op_type not in ("Add", "Mul"):
        return node.inputs[0]
    computed = [v for v in node.inputs if v is not None and constant(v) is None]
    return computed[0] if len(computed) == 1 else None


def _same_kind(source: ir.Value, output: ir.Value) -> bool:
    shape = edit.shape_of(source)
    known = source.dtype is not None and output.dtype is not None
    return shape is not None and shape == edit.shape_of(output) and known and source.dtype == output.dtype


def _never(_: ir.Node) -> bool:
    return False


def _always(_: ir.Node) -> bool:
    return True


def _all_are(number: float, *, second_only: bool = False) -> Callable[[ir.Node], bool]:
    """Whether the constant operand of a binary node is this number everywhere."""

    def rule(node: ir.Node) -> bool:
        arrays = [constant(v) for v in node.inputs]
        if len(arrays) != 2 or (second_only and arrays[0] is not None):
            return False
        constants = [array for array in arrays if array is not None]
        return len(constants) == 1 and constants[0].dtype.kind in "fiu" and bool((constants[0] == number).all())

    return rule


def _slice(node: ir.Node) -> bool:
    """Of the size that it came with: with a step of 1 it is everything."""
    steps = edit.constant_integers(node, 4) if len(node.inputs) > 4 and node.inputs[4] is not None else (1,)
    return steps is not None and all(step == 1 for step in steps)


def _pad(node: ir.Node) -> bool:
    pads = edit.constant_integers(node, 1)
    return pads is not None and not any(pads)


def _resize(node: ir.Node) -> bool:
    if hub.text(node, "coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        return False
    scales = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    return scales is None or scales.size == 0 or bool((np.abs(scales.astype(np.float64) - 1) < 1e-7).all())


def _pool(node: ir.Node) -> bool:
    ones = all(n == 1 for name in ("kernel_shape", "strides") for n in hub.ints(node, name, (1,)))
    return ones and not any(hub.ints(node, "pads", ())) and len(node.outputs) == 1


def _unbounded(node: ir.Node) -> bool:
    low, high = (edit.constant_scalar(node.inputs[i]) if len(node.inputs) > i else None for i in (1, 2))
    absent = [len(node.inputs) <= i or node.inputs[i] is None for i in (1, 2)]
    return (absent[0] or low == -np.inf) and (absent[1] or high == np.inf)


def _inference(node: ir.Node) -> bool:
    training = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else np.array(False)
    return training is not None and not training.any() and not any(v.uses() for v in node.outputs[1:])


_RULES: dict[str, Callable[[ir.Node], bool]] = {
    "Add": _all_are(0),
    "AveragePool": _pool,
    "Cast": _always,
    "Clip": _unbounded,
    "Concat": lambda node: len(node.inputs) == 1,
    "DepthToSpace": _always,
    "Div": _all_are(1, second_only=True),
    "Dropout": _inference,
    "Expand": _always,
    "Identity": _always,
    "Max": lambda node: len(node.inputs) == 1,
    "MaxPool": _pool,
    "Mean": lambda node: len(node.inputs) == 1,
    "Min": lambda node: len(node.inputs) == 1,
    "Mul": _all_are(1),
    "Pad": _pad,
    "Pow": _all_are(1, second_only=True),
    "Resize": _resize,
    "Slice": _slice,
    "SpaceToDepth": _always,
    "Split": lambda node: len(node.outputs) == 1,
    "Sub": _all_are(0, second_only=True),
    "Sum": lambda node: len(node.inputs) == 1,
    "Tile": _always,
}
