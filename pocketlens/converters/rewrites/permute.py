"""How an operator changes when its inputs come with their axes in another order.

A value is *held* in another order where ``value = Transpose(stored, order)``: axis ``i`` of the value is axis
``order[i]`` of what is stored. For every operator here there is a form that takes what is stored and gives its own
result stored.
"""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit

Order = tuple[int, ...]

ELEMENTWISE = frozenset(
    [
        "Abs",
        "Add",
        "And",
        "Cast",
        "Ceil",
        "Celu",
        "Clip",
        "Cos",
        "Div",
        "Dropout",
        "Elu",
        "Equal",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "Greater",
        "GreaterOrEqual",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Log",
        "Max",
        "Mean",
        "Min",
        "Mish",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "PRelu",
        "Pow",
        "Reciprocal",
        "Relu",
        "Round",
        "Selu",
        "Sigmoid",
        "Sign",
        "Sin",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Sub",
        "Sum",
        "Tanh",
        "ThresholdedRelu",
        "Where",
        "Xor",
    ]
)
"""Operators that compute each element from the elements at the same place; operands are broadcast."""


_CHANNELS_LAST = (0, 2, 3, 1)


def inverse(order: Order) -> Order:
    """The order that undoes this one.

    Example:
        >>> inverse((0, 2, 3, 1))
        (0, 3, 1, 2)
    """
    result = [0] * len(order)
    for place, axis in enumerate(order):
        result[axis] = place
    return tuple(result)


def compose(first: Order, second: Order) -> Order:
    """The order of ``Transpose(Transpose(x, first), second)``.

    Example:
        >>> compose((0, 2, 3, 1), (0, 3, 1, 2))
        (0, 1, 2, 3)
    """
    return tuple(first[axis] for axis in second)


def result_order(node: ir.Node, order: Order) -> Order | None:
    """The order that the node's outputs are held in if its data inputs are held in ``order``; None if it cannot be
    said.
    """
    if node.domain:
        return None
    if node.op_type in ELEMENTWISE or (node.op_type in _MOVED and _needs(node)):
        return order
    if node.op_type == "MatMul":
        weight = constant(node.inputs[1])
        dense = weight is not None and weight.ndim == 2 and weight.dtype == np.float32
        return order if dense and order == _CHANNELS_LAST else None
    if node.op_type in _REDUCED:
        axes = hub.reduced_axes(node)
        if axes is None:
            return None
        if hub.integer(node, "keepdims", 1):
            return order
        left = [axis for axis in order[:] if inverse(order)[axis] not in axes]
        return tuple(sorted(left).index(axis) for axis in left)
    return None


def data_inputs(node: ir.Node) -> list[int]:
    """Which inputs are pictures; the others are numbers that steer the node."""
    if not node.inputs:
        return []
    if node.op_type in ("Clip", "Dropout", "Cast"):
        return [0]
    if node.op_type in ELEMENTWISE or node.op_type == "Concat":
        return [i for i, value in enumerate(node.inputs) if value is not None]
    return [0]


def permute_node(model: ir.Model, node: ir.Node, order: Order) -> None:
    """Change the node in place so that it computes the same on what is stored. Its data inputs are the caller's to
    replace.

    The shapes of its outputs become the stored ones.
    """
    result = result_order(node, order)
    assert result is not None
    if node.op_type == "MatMul":
        _dense(edit.Editor(model, node), node)
    elif node.op_type in _MOVED:
        _MOVED[node.op_type](edit.Editor(model, node), node, order)
    elif node.op_type in _REDUCED:
        axes = hub.reduced_axes(node)
        assert axes is not None
        moved = np.array(sorted(order[axis] for axis in axes), np.int64)
        node.resize_inputs(2)
        node.replace_input_with(1, edit.Editor(model, node).constant(moved, "axes"))
    for output in node.outputs:
        shape = edit.shape_of(output)
        output.shape = None if shape is None else ir.Shape([shape[place] for place in inverse(result)])


def _needs(node: ir.Node) -> bool:
    """Whether everything that steers the node is constant and in a form that is known here."""
    steering = node.inputs[1:] if node.op_type not in ("Concat",) else ()
    if any(v is not None and constant(v) is None for v in steering):
        return False
    if node.op_type == "Resize":
        roi = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        plain = hub.text(node, "coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize"
        return plain and "axes" not in node.attributes and (roi is None or roi.size == 0 or plain)
    if node.op_type == "Gather":
        return np.asarray(constant(node.inputs[1])).ndim == 1
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        scale = constant(node.inputs[1])
        return scale is not None and scale.size == 1
    if node.op_type in ("Expand", "Tile"):
        shape = edit.shape_of(node.inputs[0])
        return shape is not None and len(np.asarray(constant(node.inputs[1]))) == len(shape)
    return True


def _axis(editor: edit.Editor, node: ir.Node, order: Order) -> None:
    default = {"Concat": 0, "Split": 0, "Gather": 0, "Softmax": -1, "LogSoftmax": -1}[node.op_type]
    axis = hub.integer(node, "axis", default) % len(order)
    node.attributes["axis"] = ir.AttrInt64("axis", order[axis])


def _reorder(editor: edit.Editor, node: ir.Node, index: int, order: Order) -> None:
    """Reorder a constant input that has one number an axis."""
    array = constant(node.inputs[index]) if len(node.inputs) > index else None
    if array is not None and array.size:
        node.replace_input_with(index, editor.constant(array[list(inverse(order))], f"input_{index}"))


def _dense(editor: edit.Editor, node: ir.Node) -> None:
    """A product over the channels of each pixel, channels first, is a convolution with a kernel of one pixel.

    Both give ``sum over c of x[n, c, h, w] * weight[c, d]``; the convolution's weights are stored as ``[d, c, 1, 1]``.
    """
    weight = constant(node.inputs[1])
    assert weight is not None
    node.op_type = "Conv"
    node.replace_input_with(1, editor.constant(np.ascontiguousarray(weight.T)[:, :, None, None], "kernel"))
    node.attributes["kernel_shape"] = ir.AttrInt64s("kernel_shape", (1, 1))


def _steer(editor: edit.Editor, node: ir.Node, order: Order) -> None:
    for index in range(1, len(node.inputs)):
        if not (node.op_type == "Resize" and index == 1):
            _reorder(editor, node, index, order)
    if node.op_type == "Resize" and len(node.inputs) > 1 and node.inputs[1] is not None:
        node.replace_input_with(1, None)


def _one_scale(editor: edit.Editor, node: ir.Node, order: Order) -> None:
    """Nothing: what has one scale for all of its values is rounded in any order."""


def _pad(editor: edit.Editor, node: ir.Node, order: Order) -> None:
    full = [0] * (2 * len(order))
    for axis, (before, after) in enumerate(hub.pads(node) or ()):
        full[order[axis]], full[order[axis] + len(order)] = before, after
    node.replace_input_with(1, editor.constant(np.array(full, np.int64), "pads"))
    if len(node.inputs) > 3:
        node.resize_inputs(3)


def _slice(editor: edit.Editor, node: ir.Node, order: Order) -> None:
    starts = edit.constant_integers(node, 1) or ()
    axes = edit.constant_integers(node, 3) or tuple(range(len(starts)))
    moved = np.array([order[axis % len(order)] for axis in axes], np.int64)
    node.resize_inputs(max(4, len(node.inputs)))
    node.replace_input_with(3, editor.constant(moved, "axes"))


_MOVED: dict[str, Callable[[edit.Editor, ir.Node, Order], None]] = {
    "Concat": _axis,
    "Split": _axis,
    "Gather": _axis,
    "Softmax": _axis,
    "LogSoftmax": _axis,
    "Resize": _steer,
    "Expand": _steer,
    "Tile": _steer,
    "Pad": _pad,
    "Slice": _slice,
    "QuantizeLinear": _one_scale,
    "DequantizeLinear": _one_scale,
}
_REDUCED = frozenset(
    ["ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"]
)
