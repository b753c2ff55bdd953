"""Between convolutions that compute tiles of rows, the rows of a tile stay beside one another."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.packed_form import BINARY, ELEMENTWISE, is_by_channel
from pocketlens.converters.rewrites.passes import NodePass


class KeepRows(NodePass):
    """Move the Reshape from ``[N, C, H, rows W]`` to ``[N, C, rows H, W]`` down, until a Conv reads what was in front
    of it.

    Exact: the Reshape leaves each channel's values in their order. A function of one value, a sum or product of two
    pictures, one number a channel, and the mean and variance over a channel do not see it, so that it may stand behind
    them. A picture that comes from elsewhere gets the inverse Reshape. Row ``rows q + r`` of the picture is row q of
    the r-th part, so a Conv of one column with a stride of ``rows`` reads its tap t of output row q,
    ``rows q + t - pad``, at row ``q + (t - pad) // rows`` of part ``(t - pad) mod rows``: parts are W columns from one
    another, which is a kernel of ``rows`` columns with a dilation of W.
    :class:`~pocketlens.converters.rewrites.winograd_conv.WinogradConv` makes both.

    A sum or product of a picture that stands so and one that does not is moved only where such a Conv reads it, or what
    is computed from it value by value: else a Reshape would only become another one.
    """

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        editor = edit.Editor(model, node)
        result = _read(editor, node) if node.op_type == "Conv" else _behind(editor, node)
        if result is not None:
            edit.replace(node.outputs[0], result)
        return result is not None


def _beside(value: ir.Value | None) -> ir.Value | None:
    """The picture with rows beside one another that a value is, if a Reshape has put them below one another."""
    node = edit.producer(value, "Reshape")
    if node is None or node.inputs[0] is None:
        return None
    before, after = edit.shape_of(node.inputs[0]), edit.shape_of(value)
    if before is None or after is None or len(before) != 4 or len(after) != 4 or before[:2] != after[:2]:
        return None
    return node.inputs[0] if before[2] < after[2] and after[2] % before[2] == 0 else None


def _behind(editor: edit.Editor, node: ir.Node) -> ir.Value | None:
    """What a node computes, from pictures with rows beside one another, and the Reshape behind it."""
    output = node.outputs[0]
    pictures = _pictures(node)
    beside = [picture for value in pictures if (picture := _beside(value)) is not None]
    shapes = {edit.shape_of(value) for value in beside}
    if len(shapes) != 1 or any(edit.shape_of(value) != edit.shape_of(output) for value in pictures):
        return None
    (shape,), after = shapes, edit.shape_of(output)
    if shape is None or after is None or (len(beside) < len(pictures) and not _is_read(output, after[2] // shape[2])):
        return None
    inputs = [
        value if value is None or value not in pictures else (_beside(value) or editor.reshape(value, shape))
        for value in node.inputs
    ]
    return editor.reshape(editor.add(node.op_type, inputs, shape, node.attributes.values()), after)


def _pictures(node: ir.Node) -> list[ir.Value]:
    """The pictures that a node computes from, value by value or channel by channel; empty if it does otherwise."""
    first = node.inputs[0] if node.inputs else None
    if first is None:
        return []
    if node.op_type in ELEMENTWISE or node.op_type == "InstanceNormalization":
        return [first]
    if node.op_type not in BINARY:
        return []
    computed = [value for value in node.inputs if value is not None and constant(value) is None]
    terms = [value for value in node.inputs if constant(value) is not None]
    return computed if all(is_by_channel(value, node.outputs[0]) for value in terms) else []


def _is_read(value: ir.Value, rows: int) -> bool:
    """Whether a Conv with a stride of so many rows reads a value, or something computed from it value by value."""
    for node, index in value.uses():
        if index == 0 and _strides(node) == rows:
            return True
        if value in _pictures(node) and _is_read(node.outputs[0], rows):
            return True
    return False


def _strides(node: ir.Node) -> int:
    """The stride along the rows of a Conv of one column, which reads whole columns; 0 of anything else."""
    weight = constant(node.inputs[1]) if node.op_type == "Conv" and not node.domain else None
    if weight is None or weight.ndim != 4 or weight.shape[3] != 1 or hub.text(node, "auto_pad", "NOTSET") != "NOTSET":
        return 0
    (down, across), pads = hub.ints(node, "strides", (1, 1)), hub.ints(node, "pads", (0, 0, 0, 0))
    plain = across == 1 and not pads[1] and not pads[3] and hub.ints(node, "dilations", (1, 1))[0] == 1
    return down if plain and down > 1 else 0


def _read(editor: edit.Editor, node: ir.Node) -> ir.Value | None:
    """A Conv with a stride along the rows, reading rows that stand beside one another."""
    source = _beside(node.inputs[0])
    shape, whole = edit.shape_of(source), edit.shape_of(node.inputs[0])
    after, weight = edit.shape_of(node.outputs[0]), constant(node.inputs[1])
    if source is None or shape is None or whole is None or after is None or weight is None:
        return None
    rows = whole[2] // shape[2]
    if _strides(node) != rows:
        return None
    top = hub.ints(node, "pads", (0, 0, 0, 0))[0]
    counted = np.flatnonzero(np.abs(weight).max(axis=(0, 1, 3)))  # a tap of zeros would only add rows to the kernel
    places = [divmod(int(tap) - top, rows) for tap in counted]
    least, most = min([0, *(q for q, _ in places)]), max([0, *(q for q, _ in places)])
    below = after[2] + most - shape[2]
    if below < 0:
        return None
    kernel = np.zeros((*weight.shape[:2], most - least + 1, rows), np.float32)
    for tap, (q, part) in zip(counted, places, strict=True):
        kernel[:, :, q - least, part] = weight[:, :, tap, 0]
    attributes = [
        ir.AttrInt64s("pads", [-least, 0, below, 0]),
        ir.AttrInt64s("dilations", [1, whole[3]]),
        ir.AttrInt64("group", hub.integer(node, "group", 1)),
    ]
    inputs = [source, editor.constant(kernel, "beside"), *node.inputs[2:]]
    return editor.add("Conv", inputs, after, attributes)
