"""Convolutions whose weights are computed, as modulated and predicted kernels are, in terms of a matrix product."""

from itertools import product

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

MAX_GROUPS = 16
"""Most groups that become a product each; a convolution of each channel alone is none."""


class DecomposeComputedConv(NodePass):
    """Replace a Conv or ConvTranspose with computed weights by products with the neighbours of every pixel.

    Exact: output ``(o, p)`` is ``Σ_(c,t) w[o,c,t] x[c,p+t]`` over the taps t of the kernel, so that shifted pictures,
    one a tap, are the right side of a MatMul; of each channel alone it is a sum of products. A transposed convolution
    of stride s is one of stride 1 over a picture with s-1 zeros behind every value, its kernel turned around. Groups
    are computed one by one. Needs one picture, floats, fixed shapes and pads that are said.
    """

    operators = ("Conv", "ConvTranspose")

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        x, weight = node.inputs[:2]
        before, kernel, after = edit.shape_of(x), edit.shape_of(weight), edit.shape_of(node.outputs[0])
        if x is None or weight is None or before is None or kernel is None or after is None:
            return False
        if constant(weight) is not None or x.dtype != ir.DataType.FLOAT or len(before) != 4 or before[0] != 1:
            return False
        if hub.text(node, "auto_pad", "NOTSET") != "NOTSET" or "output_shape" in node.attributes:
            return False
        editor, groups = edit.Editor(model, node), hub.integer(node, "group", 1)
        alone = node.op_type == "Conv" and groups == before[1] == kernel[0]
        if groups > MAX_GROUPS and not alone:
            return False
        places = _neighbours(editor, node, x, kernel[2:], after[2:])
        if places is None:
            return False
        if alone:
            result = _each_alone(editor, weight, places, after)
        else:
            result = _by_groups(editor, node, weight, places, groups, after)
        bias = node.inputs[2] if len(node.inputs) > 2 else None
        if bias is not None:
            result = editor.add("Add", [result, editor.reshape(bias, (1, after[1], 1, 1))], after)
        edit.replace(node.outputs[0], result)
        return True


def _neighbours(
    editor: edit.Editor, node: ir.Node, x: ir.Value, kernel: tuple[int, ...], after: tuple[int, ...]
) -> list[ir.Value] | None:
    """A picture for each tap of the kernel, row by row: what the tap reads for every output pixel."""
    pads, dilations = hub.ints(node, "pads", (0,) * 4), hub.ints(node, "dilations", (1, 1))
    strides, is_transposed = hub.ints(node, "strides", (1, 1)), node.op_type == "ConvTranspose"
    starts = [[tap * step for tap in range(length)] for length, step in zip(kernel, dilations, strict=True)]
    if is_transposed:
        if strides[0] != strides[1]:
            return None
        x = _spread(editor, x, strides[0])
        pads = tuple(d * (k - 1) - pad for pad, d, k in zip(pads, (*dilations,) * 2, (*kernel,) * 2, strict=True))
        starts = [offsets[::-1] for offsets in starts]
        strides = (1, 1)
    before = edit.shape_of(x)
    if before is None or min(pads[:2]) < 0:
        return None
    reach = [s[-1] if not is_transposed else s[0] for s in starts]
    needed = [r + (n - 1) * stride + 1 for r, n, stride in zip(reach, after, strides, strict=True)]
    behind = [max(0, n - pad - have) for n, pad, have in zip(needed, pads[:2], before[2:], strict=True)]
    if any((*pads[:2], *behind)):
        amounts = editor.constant(np.array([0, 0, *pads[:2], 0, 0, *behind], np.int64), "pads")
        padded = (*before[:2], *(n + pad + b for n, pad, b in zip(before[2:], pads[:2], behind, strict=True)))
        x = editor.add("Pad", [x, amounts], padded)
    shape = (1, before[1], *after)
    return [_window(editor, x, start, strides, shape) for start in product(*starts)]


def _spread(editor: edit.Editor, x: ir.Value, stride: int) -> ir.Value:
    """A picture with zeros behind every value, to ``stride`` times its size: channels of zeros, shuffled into place."""
    if stride == 1:
        return x
    _, channels, height, width = edit.shape_of(x) or (0, 0, 0, 0)
    amounts = editor.constant(np.array([0, 0, 0, 0, 0, (stride**2 - 1) * channels, 0, 0], np.int64), "zeros")
    deep = editor.add("Pad", [x, amounts], (1, stride**2 * channels, height, width))
    wide = (1, channels, height * stride, width * stride)
    return editor.add("DepthToSpace", [deep], wide, [ir.AttrInt64("blocksize", stride)])


def _window(
    editor: edit.Editor, x: ir.Value, start: tuple[int, ...], strides: tuple[int, ...], shape: tuple[int, ...]
) -> ir.Value:
    ends = [s + (n - 1) * stride + 1 for s, n, stride in zip(start, shape[2:], strides, strict=True)]
    name = f"{start[0]}_{start[1]}"
    bounds = [
        editor.constant(np.array(values, np.int64), f"{name}_{i}")
        for i, values in enumerate((start, ends, [2, 3], strides))
    ]
    return editor.add("Slice", [x, *bounds], shape)


def _each_alone(editor: edit.Editor, weight: ir.Value, places: list[ir.Value], after: tuple[int, ...]) -> ir.Value:
    channels = after[1]
    flat = editor.reshape(weight, (channels, len(places)))
    weighed = []
    for tap, place in enumerate(places):
        factor = _part(editor, flat, 1, tap, 1, (channels, 1), f"tap_{tap}")
        weighed.append(editor.add("Mul", [place, editor.reshape(factor, (1, channels, 1, 1))], after))
    return editor.add("Sum", weighed, after) if len(weighed) > 1 else weighed[0]


def _by_groups(
    editor: edit.Editor, node: ir.Node, weight: ir.Value, places: list[ir.Value], groups: int, after: tuple[int, ...]
) -> ir.Value:
    kernel, place = edit.shape_of(weight), edit.shape_of(places[0])
    assert kernel is not None and place is not None
    pixels, inputs, outputs = after[2] * after[3], place[1] // groups, after[1] // groups
    depth = inputs * len(places)
    # Conv has [outputs, inputs, ...], ConvTranspose [inputs, outputs, ...]; the taps come first in the product.
    order = [0, 2, 3, 1] if node.op_type == "Conv" else [1, 2, 3, 0]
    results = []
    for group in range(groups):
        own, near = weight, places
        if groups > 1:
            rows = kernel[0] // groups
            own = _part(editor, weight, 0, group * rows, rows, (rows, *kernel[1:]), f"group_{group}")
            near = [
                _part(editor, p, 1, group * inputs, inputs, (1, inputs, *after[2:]), f"group_{group}_{i}")
                for i, p in enumerate(places)
            ]
        turned = editor.add("Transpose", [own], (outputs, *kernel[2:], inputs), [ir.AttrInt64s("perm", order)])
        neighbours = editor.reshape(editor.concat(near, 1), (depth, pixels))
        mixed = editor.add("MatMul", [editor.reshape(turned, (outputs, depth)), neighbours], (outputs, pixels))
        results.append(editor.reshape(mixed, (1, outputs, *after[2:])))
    return editor.concat(results, 1)


def _part(
    editor: edit.Editor, x: ir.Value, axis: int, start: int, count: int, shape: tuple[int, ...], name: str
) -> ir.Value:
    numbers = (start, start + count, axis)
    bounds = [editor.constant(np.array([n], np.int64), f"{name}_{i}") for i, n in enumerate(numbers)]
    return editor.add("Slice", [x, *bounds], shape)
