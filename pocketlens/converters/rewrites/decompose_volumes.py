"""Convolutions and pools of volumes, layer by layer: TFLite and Core ML have those of pictures."""

import math

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

MAX_LAYERS = 32
"""Most layers that come out: each of them is a convolution."""


class DecomposeVolumes(NodePass):
    """Decompose a convolution or pool of five axes, as nets of several frames and norms over channels have.

    Exact to float rounding: a layer that comes out is a convolution of the layers around it, one after the other as
    channels. A mean or maximum over a box is one along its depth, and one over its height and width. Needs one picture,
    constant weights, one group, explicit pads, and fixed shapes.
    """

    operators = ("AveragePool", "Conv", "MaxPool")

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        x, before, after = node.inputs[0], edit.shape_of(node.inputs[0]), edit.shape_of(node.outputs[0])
        if x is None or before is None or after is None or len(before) != 5 or before[0] != 1:
            return False
        if hub.text(node, "auto_pad", "NOTSET") != "NOTSET" or len(node.outputs) > 1:
            return False
        editor = edit.Editor(model, node)
        result = (_convolved if node.op_type == "Conv" else _pooled)(editor, node, x, before, after)
        if result is not None:
            edit.replace(node.outputs[0], result)
        return result is not None


def _convolved(
    editor: edit.Editor, node: ir.Node, x: ir.Value, before: tuple[int, ...], after: tuple[int, ...]
) -> ir.Value | None:
    weight = constant(node.inputs[1])
    if weight is None or hub.integer(node, "group", 1) != 1 or after[2] > MAX_LAYERS:
        return None
    stride, pad, dilation = (
        hub.ints(node, name, default)[0] for name, default in (("strides", (1,)), ("pads", (0,)), ("dilations", (1,)))
    )
    attributes = _of_plane(node, "strides", "pads", "dilations")
    layers: list[ir.Value] = []
    for layer in range(after[2]):
        taps = [(k, layer * stride - pad + k * dilation) for k in range(weight.shape[2])]
        taps = [(k, place) for k, place in taps if 0 <= place < before[2]]
        if not taps:
            return None
        planes = editor.concat([_layer(editor, x, before, place) for _, place in taps], 1)
        kernel = editor.constant(np.concatenate([weight[:, :, k] for k, _ in taps], 1), f"kernel_{layer}")
        flat = (1, after[1], *after[3:])
        plane = editor.add("Conv", [planes, kernel, *node.inputs[2:]], flat, attributes)
        layers.append(editor.reshape(plane, (1, after[1], 1, *after[3:])))
    return editor.concat(layers, 2)


def _layer(editor: edit.Editor, x: ir.Value, before: tuple[int, ...], place: int) -> ir.Value:
    bounds = [editor.constant(np.array([n], np.int64), f"layer_{i}") for i, n in enumerate((place, place + 1, 2))]
    cut = editor.add("Slice", [x, *bounds], (1, before[1], 1, *before[3:]))
    return editor.reshape(cut, (1, before[1], *before[3:]))


def _pooled(
    editor: edit.Editor, node: ir.Node, x: ir.Value, before: tuple[int, ...], after: tuple[int, ...]
) -> ir.Value | None:
    if hub.integer(node, "ceil_mode", 0):
        return None
    kernel = hub.ints(node, "kernel_shape", ())
    strides, dilations = (hub.ints(node, name, (1,) * 3) for name in ("strides", "dilations"))
    pads = hub.ints(node, "pads", (0,) * 6)
    kept = [node.attributes[name] for name in ("count_include_pad",) if name in node.attributes]
    _, channels, depth, height, width = before
    along = [
        ir.AttrInt64s("kernel_shape", [kernel[0], 1]),
        ir.AttrInt64s("strides", [strides[0], 1]),
        ir.AttrInt64s("dilations", [dilations[0], 1]),
        ir.AttrInt64s("pads", [pads[0], 0, pads[3], 0]),
    ]
    rows = editor.reshape(x, (1, channels, depth, height * width))
    rows = editor.add(node.op_type, [rows], (1, channels, after[2], height * width), [*along, *kept])
    planes = editor.reshape(rows, (1, channels * after[2], height, width))
    across = _of_plane(node, "kernel_shape", "strides", "dilations", "pads")
    if math.prod(kernel[1:]) > 1 or (height, width) != after[3:]:
        planes = editor.add(node.op_type, [planes], (1, channels * after[2], *after[3:]), [*across, *kept])
    return editor.reshape(planes, after)


def _of_plane(node: ir.Node, *names: str) -> list[ir.Attr]:
    """Attributes of a volume without the part that is its depth's."""
    plane = []
    for name in names:
        if name in node.attributes:
            numbers = hub.ints(node, name, ())
            without = [n for i, n in enumerate(numbers) if i % 3]
            plane.append(ir.AttrInt64s(name, without))
    return plane
