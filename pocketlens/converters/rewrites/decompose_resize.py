"""A Resize of some axes, or one that keeps an aspect ratio, says the size or scale of all four."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

_TO_FIRST, _TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
_COORDINATES = "coordinate_transformation_mode"


class DecomposeResize(NodePass):
    """Do without the attributes ``axes`` and ``keep_aspect_ratio_policy``.

    Exact: an axis that is not named keeps its length, which is a scale of 1. Under a policy ONNX takes the smallest or
    largest ratio of the sizes as the scale of every named axis; where each axis times that ratio is a whole number, the
    sizes that come out say the same without the policy. Elsewhere a policy stays as it is, since the scale is then no
    ratio of sizes. ``tf_half_pixel_for_nn`` becomes half_pixel, and a picture
    that lies channels last is turned first.
    """

    operators = ("Resize",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        return _as_half_pixel(node) or _decompose(model, node) or _channels_first(model, node)


def _as_half_pixel(node: ir.Node) -> bool:
    """TensorFlow's own nearest: ``floor((x + 0.5) / scale)`` is half_pixel's place, rounded half up."""
    if hub.text(node, _COORDINATES, "half_pixel") != "tf_half_pixel_for_nn":
        return False
    if hub.text(node, "mode", "nearest") != "nearest" or hub.text(node, "nearest_mode", "") != "floor":
        return False
    node.attributes[_COORDINATES] = ir.AttrString(_COORDINATES, "half_pixel")
    node.attributes["nearest_mode"] = ir.AttrString("nearest_mode", "round_prefer_ceil")
    return True


def _decompose(model: ir.Model, node: ir.Node) -> bool:
    before, after = edit.shape_of(node.inputs[0]), edit.shape_of(node.outputs[0])
    roi = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    keeps = hub.text(node, "keep_aspect_ratio_policy", "stretch") != "stretch"
    if not (keeps or "axes" in node.attributes) or before is None or after is None:
        return False
    if (roi is not None and roi.size) or hub.text(node, "coordinate_transformation_mode", "") == "tf_crop_and_resize":
        return False
    axes = [axis % len(before) for axis in hub.ints(node, "axes", tuple(range(len(before))))]
    scales = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    sizes = constant(node.inputs[3]) if len(node.inputs) > 3 else None
    if scales is not None and scales.size:
        all_scales = np.ones(len(before), np.float32)
        all_scales[axes] = scales.reshape(-1)
        node.replace_input_with(2, hub.add_constant(model, f"{node.outputs[0].name}_scales", all_scales))
    elif sizes is not None:
        if keeps and not _says_as_much(node, before, after, axes, sizes.reshape(-1).tolist()):
            return False
        size = hub.add_constant(model, f"{node.outputs[0].name}_size", np.array(after, np.int64))
        node.replace_input_with(3, size)
    else:
        return False
    node.attributes.pop("axes", None)
    node.attributes.pop("keep_aspect_ratio_policy", None)
    return True


def _channels_first(model: ir.Model, node: ir.Node) -> bool:
    """A picture that lies channels last is turned, resized, and turned back: emitters resize the last two axes."""
    x = node.inputs[0]
    before, after = edit.shape_of(x), edit.shape_of(node.outputs[0])
    if x is None or before is None or after is None or len(before) != 4 or before[::3] != after[::3]:
        return False
    if before[1] == after[1] or "axes" in node.attributes:
        return False
    editor = edit.Editor(model, node)
    inputs: list[ir.Value | None] = [editor.add("Transpose", [x], _turned(before), [_permutation(_TO_FIRST)])]
    for index, value in enumerate(node.inputs[1:], start=1):
        array = constant(value)
        if value is None or array is None or not array.size:
            inputs.append(value)
        elif array.size != 4:
            return False
        else:
            inputs.append(editor.constant(np.ascontiguousarray(array[list(_TO_FIRST)]), f"turned_{index}"))
    resized = editor.add("Resize", inputs, _turned(after), node.attributes.values())
    edit.replace(node.outputs[0], editor.add("Transpose", [resized], after, [_permutation(_TO_LAST)]))
    return True


def _turned(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(shape[axis] for axis in _TO_FIRST)


def _permutation(order: tuple[int, ...]) -> ir.Attr:
    return ir.AttrInt64s("perm", list(order))


def _says_as_much(
    node: ir.Node, before: tuple[int, ...], after: tuple[int, ...], axes: list[int], sizes: list[int]
) -> bool:
    """Whether the sizes that come out give the very scale that the policy chose."""
    ratios = [(size, before[axis]) for size, axis in zip(sizes, axes, strict=True)]
    smaller = hub.text(node, "keep_aspect_ratio_policy", "") == "not_larger"
    top, bottom = (min if smaller else max)(ratios, key=lambda ratio: ratio[0] / ratio[1])
    return all(before[axis] * top == after[axis] * bottom for axis in axes)
