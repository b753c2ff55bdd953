"""Operators that generators seldom have, in terms of those that every target takes."""

import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

MAX_COPIES = 64
"""How often a Tile is written as a Concat at most: each copy is one more input."""


class DecomposeRare(NodePass):
    """Replace a rare operator by its definition, as the ONNX standard gives it.

    Exact to float rounding: norms and sums of squares (ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum) become a
    function and a ReduceSum; Selu and Celu a scaled Elu; Mean a Sum and a product; Tile an Expand where it repeats
    single values, else Concats of copies; a Pad that wraps around Concats of Slices; a convolution along one axis one
    over a row; a Gemm of a transposed first or a computed second matrix, or of a computed term, a MatMul; a PRelu with
    a slope for each pixel two Relus; Col2Im a transposed convolution whose kernels place one value each; an AffineGrid
    of a constant size a MatMul of constant places; an LpPool the root of an AveragePool of powers; a Shrink two Relus,
    or a choice where it jumps. Needs floats and fixed shapes.
    """

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        decompose = _DEFINITIONS.get(node.op_type)
        x = node.inputs[0] if node.inputs else None
        if decompose is None or x is None or x.dtype != ir.DataType.FLOAT or edit.shape_of(node.outputs[0]) is None:
            return False
        result = decompose(edit.Editor(model, node), node, x) if edit.shape_of(x) is not None else None
        if result is not None:
            edit.replace(node.outputs[0], result)
        return result is not None


def _number(editor: edit.Editor, number: float, name: str) -> ir.Value:
    return editor.constant(np.array(number, np.float32), name)


def _summed(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    before, shape = edit.shape_of(x), edit.shape_of(node.outputs[0])
    if node.op_type in ("ReduceL2", "ReduceSumSquare"):
        x = editor.add("Mul", [x, x], before)
    elif node.op_type == "ReduceL1":
        x = editor.add("Abs", [x], before)
    total = editor.add("ReduceSum", [x, *node.inputs[1:]], shape, node.attributes.values())
    last = {"ReduceL2": "Sqrt", "ReduceLogSum": "Log"}.get(node.op_type)
    return editor.add(last, [total], shape) if last else total


def _selu(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value:
    shape = edit.shape_of(x)
    alpha = hub.number(node, "alpha", 1.67326319217681884765625)
    curved = editor.add("Elu", [x], shape, [ir.AttrFloat32("alpha", alpha)])
    gamma = hub.number(node, "gamma", 1.05070102214813232421875)
    return editor.add("Mul", [curved, _number(editor, gamma, "gamma")], shape)


def _celu(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value:
    shape, alpha = edit.shape_of(x), hub.number(node, "alpha", 1.0)
    curved = editor.add("Elu", [editor.add("Mul", [x, _number(editor, 1 / alpha, "inverse")], shape)], shape)
    return editor.add("Mul", [curved, _number(editor, alpha, "alpha")], shape)


def _mean(editor: edit.Editor, node: ir.Node, _: ir.Value) -> ir.Value:
    shape = edit.shape_of(node.outputs[0])
    total = editor.add("Sum", list(node.inputs), shape)
    return editor.add("Mul", [total, _number(editor, 1 / len(node.inputs), "share")], shape)


def _tiled(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    counts, shape = edit.constant_integers(node, 1), edit.shape_of(x)
    if counts is None or shape is None or 0 in counts:
        return None
    if all(count == 1 or length == 1 for count, length in zip(counts, shape, strict=True)):
        target = tuple(count * length for count, length in zip(counts, shape, strict=True))
        return editor.add("Expand", [x, editor.constant(np.array(target, np.int64), "size")], target)
    if math.prod(counts) > MAX_COPIES:
        return None
    for axis, count in enumerate(counts):
        x = editor.concat([x] * count, axis)
    return x


def _wrapped(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    pads, shape = hub.pads(node), edit.shape_of(x)
    if hub.text(node, "mode", "constant") != "wrap" or pads is None or shape is None:
        return None
    if any(
        not 0 <= pad <= length for before_and_after, length in zip(pads, shape, strict=True) for pad in before_and_after
    ):
        return None
    for axis, (before, after) in enumerate(pads):
        start = [_cut(editor, x, axis, shape[axis] - before, shape[axis])] if before else []
        end = [_cut(editor, x, axis, 0, after)] if after else []
        x = editor.concat([*start, x, *end], axis)
    return x


def _cut(editor: edit.Editor, x: ir.Value, axis: int, start: int, end: int) -> ir.Value:
    shape = edit.shape_of(x)
    assert shape is not None
    bounds = [
        editor.constant(np.array([n], np.int64), f"{axis}_{start}_{end}_{i}") for i, n in enumerate((start, end, axis))
    ]
    return editor.add("Slice", [x, *bounds], (*shape[:axis], end - start, *shape[axis + 1 :]))


def _normalized(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    """A batch norm whose statistics, scale or shift are computed, as Keras writes its layer norms."""
    shape = edit.shape_of(x)
    if shape is None or len(shape) < 2 or all(constant(value) is not None for value in node.inputs[1:]):
        return None
    if hub.integer(node, "training_mode", 0) or any(value is None for value in node.inputs[1:5]):
        return None
    lengths = (1, shape[1], *(1,) * (len(shape) - 2))
    scale, shift, mean, variance = (editor.reshape(value, lengths) for value in node.inputs[1:5] if value is not None)
    total = editor.add("Add", [variance, _number(editor, hub.number(node, "epsilon", 1e-5), "epsilon")], lengths)
    away = editor.add("Div", [editor.add("Sub", [x, mean], shape), editor.add("Sqrt", [total], lengths)], shape)
    return editor.add("Add", [editor.add("Mul", [away, scale], shape), shift], shape)


def _row_convolution(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    """A convolution along one axis is one over a picture of one row."""
    before, after, weight = edit.shape_of(x), edit.shape_of(node.outputs[0]), constant(node.inputs[1])
    if before is None or after is None or weight is None or len(before) != 3 or weight.ndim != 3:
        return None
    row = editor.reshape(x, (*before[:2], 1, before[2]))
    kernel = editor.constant(np.ascontiguousarray(weight[:, :, None, :]), "kernel")
    if "output_shape" in node.attributes:
        return None
    attributes = [_of_row(attribute) for attribute in node.attributes.values()]
    result = editor.add(node.op_type, [row, kernel, *node.inputs[2:]], (*after[:2], 1, after[2]), attributes)
    return editor.reshape(result, after)


def _folded(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    """The inverse of torch's unfold: each value goes to its place in its block, and what overlaps is added up."""
    before, after = edit.shape_of(x), edit.shape_of(node.outputs[0])
    block = edit.constant_integers(node, 2)
    if before is None or after is None or block is None or len(after) != 4 or len(before) != 3:
        return None
    strides, dilations = hub.ints(node, "strides", (1, 1)), hub.ints(node, "dilations", (1, 1))
    pads = hub.ints(node, "pads", (0,) * 4)
    spans = [d * (k - 1) + 1 for d, k in zip(dilations, block, strict=True)]
    room = [n + pads[i] + pads[i + 2] - spans[i] for i, n in enumerate(after[2:])]
    blocks = [r // stride + 1 for r, stride in zip(room, strides, strict=True)]
    if math.prod(blocks) != before[2] or before[0] != 1:
        return None
    kernels = np.zeros((after[1], math.prod(block), 1, *block), np.float32)
    kernels.reshape(after[1], math.prod(block), math.prod(block))[:] = np.eye(math.prod(block))
    weight = editor.constant(kernels.reshape(before[1], 1, *block), "kernel")
    attributes = [
        ir.AttrInt64("group", after[1]),
        ir.AttrInt64s("strides", list(strides)),
        ir.AttrInt64s("dilations", list(dilations)),
        ir.AttrInt64s("pads", list(pads)),
        ir.AttrInt64s("output_padding", [r % stride for r, stride in zip(room, strides, strict=True)]),
    ]
    return editor.add("ConvTranspose", [editor.reshape(x, (1, before[1], *blocks)), weight], after, attributes)


def _of_row(attribute: ir.Attr) -> ir.Attr:
    """An attribute of a convolution along one axis, for one over a picture of one row."""
    if attribute.name in ("kernel_shape", "strides", "dilations"):
        return ir.AttrInt64s(attribute.name, [1, *attribute.as_ints()])
    if attribute.name == "output_padding":
        return ir.AttrInt64s(attribute.name, [0, *attribute.as_ints()])
    if attribute.name == "pads":
        start, end = attribute.as_ints()
        return ir.AttrInt64s("pads", [0, start, 0, end])
    return attribute


def _affine_grid(editor: edit.Editor, node: ir.Node, theta: ir.Value) -> ir.Value | None:
    """The product of a constant list of places, one for each pixel, and the computed matrix."""
    size, shape = edit.constant_integers(node, 1), edit.shape_of(node.outputs[0])
    before = edit.shape_of(theta)
    lengths, corners = (size or ())[2:], hub.integer(node, "align_corners", 0)
    if not lengths or shape is None or before is None or (corners and 1 in lengths):
        return None
    axes = [np.linspace(-1, 1, n) if corners else (2 * np.arange(n) + 1) / n - 1 for n in lengths]
    # From the last axis to the first, as grids say places, and 1 for what the matrix shifts by.
    places = [axis.reshape(-1) for axis in reversed(np.meshgrid(*axes, indexing="ij"))]
    table = np.stack([*places, np.ones_like(places[0])], 1)[None].astype(np.float32)
    turned = editor.add("Transpose", [theta], (before[0], before[2], before[1]), [ir.AttrInt64s("perm", [0, 2, 1])])
    moved = editor.add("MatMul", [editor.constant(table, "places"), turned], (before[0], len(places[0]), before[1]))
    return editor.reshape(moved, shape)


def _pooled(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    """``(sum |x|^p)^(1/p)`` of each window: what lies outside the picture is 0, and counts as such in a mean too."""
    before, after = edit.shape_of(x), edit.shape_of(node.outputs[0])
    kernel, order = hub.ints(node, "kernel_shape", ()), hub.integer(node, "p", 2)
    if before is None or after is None or order < 1 or hub.integer(node, "ceil_mode", 0):
        return None
    powers = editor.add("Mul", [x, x], before) if order == 2 else editor.add("Abs", [x], before)
    if order > 2:
        powers = editor.add("Pow", [powers, _number(editor, order, "p")], before)
    if node.op_type == "GlobalLpPool":
        mean, count = editor.add("GlobalAveragePool", [powers], after), math.prod(before[2:])
    else:
        attributes = [attribute for attribute in node.attributes.values() if attribute.name != "p"]
        attributes.append(ir.AttrInt64("count_include_pad", 1))
        mean, count = editor.add("AveragePool", [powers], after, attributes), math.prod(kernel)
    total = editor.add("Mul", [mean, _number(editor, count, "count")], after)
    if order == 2:
        return editor.add("Sqrt", [total], after)
    return total if order == 1 else editor.add("Pow", [total, _number(editor, 1 / order, "root")], after)


def _shrunk(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value:
    shape, bound, bias = edit.shape_of(x), hub.number(node, "lambd", 0.5), hub.number(node, "bias", 0.0)
    high, low = _number(editor, bound, "bound"), _number(editor, -bound, "below")
    if bias == bound >= 0:
        above = editor.add("Relu", [editor.add("Sub", [x, high], shape)], shape)
        return editor.add("Sub", [above, editor.add("Relu", [editor.add("Sub", [low, x], shape)], shape)], shape)
    shift = _number(editor, bias, "bias")
    is_high, is_low = editor.add("Greater", [x, high], shape), editor.add("Less", [x, low], shape)
    is_high.type = is_low.type = ir.TensorType(ir.DataType.BOOL)
    up = editor.add("Where", [is_high, editor.add("Sub", [x, shift], shape), _number(editor, 0, "zero")], shape)
    return editor.add("Where", [is_low, editor.add("Add", [x, shift], shape), up], shape)


def _sloped(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    """``relu(x) - slope * relu(-x)``, where slopes differ within a channel or x is no picture: no target has such."""
    shape, slope = edit.shape_of(x), constant(node.inputs[1])
    if shape is None or slope is None:
        return None
    lengths = (1,) * (len(shape) - slope.ndim) + slope.shape
    if len(shape) == 4 and all(length == 1 for axis, length in enumerate(lengths) if axis != 1):
        return None
    below = editor.add("Relu", [editor.add("Neg", [x], shape)], shape)
    # With all axes: OpenVINO puts these operators together again, and takes a slope of one axis for one of channels.
    sloped = editor.add("Mul", [below, editor.constant(slope.reshape(lengths), "slope")], shape)
    return editor.add("Sub", [editor.add("Relu", [x], shape), sloped], shape)


def _multiplied(editor: edit.Editor, node: ir.Node, x: ir.Value) -> ir.Value | None:
    """A Gemm of a computed matrix, a transposed first one or a computed term: a MatMul, with what stands around it."""
    y, term = node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else None
    result_shape, shapes = edit.shape_of(node.outputs[0]), [edit.shape_of(x), edit.shape_of(y)]
    constants = [value for value in (y, term) if value is not None]
    is_plain = not hub.integer(node, "transA", 0) and all(constant(value) is not None for value in constants)
    if is_plain or y is None or result_shape is None or None in shapes:
        return None
    sides = [
        editor.add("Transpose", [value], shape[::-1], [ir.AttrInt64s("perm", [1, 0])])
        if hub.integer(node, name, 0) and shape is not None
        else value
        for value, shape, name in ((x, shapes[0], "transA"), (y, shapes[1], "transB"))
    ]
    result = editor.add("MatMul", sides, result_shape)
    alpha, beta = hub.number(node, "alpha", 1.0), hub.number(node, "beta", 1.0)
    if alpha != 1:
        result = editor.add("Mul", [result, _number(editor, alpha, "alpha")], result_shape)
    if term is not None and beta != 1:
        term = editor.add("Mul", [term, _number(editor, beta, "beta")], edit.shape_of(term))
    return result if term is None else editor.add("Add", [result, term], result_shape)


_DEFINITIONS: dict[str, Callable[[edit.Editor, ir.Node, ir.Value], ir.Value | None]] = {
    "AffineGrid": _affine_grid,
    "BatchNormalization": _normalized,
    "Celu": _celu,
    "Col2Im": _folded,
    "Conv": _row_convolution,
    "ConvTranspose": _row_convolution,
    "Gemm": _multiplied,
    "GlobalLpPool": _pooled,
    "LpPool": _pooled,
    "Mean": _mean,
    "PRelu": _sloped,
    "Pad": _wrapped,
    "ReduceL1": _summed,
    "ReduceL2": _summed,
    "ReduceLogSum": _summed,
    "ReduceSumSquare": _summed,
    "Selu": _selu,
    "Shrink": _shrunk,
    "Tile": _tiled,
}
