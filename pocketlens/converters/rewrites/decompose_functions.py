"""Functions that no target but ONNX and OpenVINO has, in terms of those that every target takes."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

_LEAST_NORM = 2.0**-24
"""What a norm is divided by at least: onnxruntime gives zeros for a vector of zeros."""
_FOLD = float(np.tan(np.pi / 8))


class DecomposeFunctions(NodePass):
    """Replace a function by its definition, as the ONNX standard gives it.

    Exact to float rounding: LogSoftmax and ReduceLogSumExp by what is left below the largest value; LpNormalization a
    quotient; LRN a power of a mean over neighbouring channels; Mod the rest of a division, cut towards zero; IsNaN a
    comparison of a value with itself; Atan a polynomial over the eighth of a circle that the place is folded into
    (Cephes, 2e-7); Trilu a product with ones and zeros; CenterCropPad and a Pad by a negative number a Slice and a Pad;
    ReverseSequence of one length a Gather. Needs floats and fixed shapes.
    """

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        decompose = _DEFINITIONS.get(node.op_type)
        x = node.inputs[0] if node.inputs else None
        if decompose is None or x is None or x.dtype != ir.DataType.FLOAT:
            return False
        before, after = edit.shape_of(x), edit.shape_of(node.outputs[0])
        if before is None or after is None:
            return False
        result = decompose(_Place(model, node, x, before, after))
        if result is not None:
            edit.replace(node.outputs[0], result)
        return result is not None


class _Place:
    """A node that is taken apart: its first input, and an editor that speaks of shapes and numbers."""

    def __init__(
        self, model: ir.Model, node: ir.Node, x: ir.Value, before: tuple[int, ...], after: tuple[int, ...]
    ) -> None:
        self.node, self.x, self.before, self.after = node, x, before, after
        self.editor = edit.Editor(model, node)

    def add(self, operator: str, *inputs: ir.Value | float, shape: tuple[int, ...] | None = None) -> ir.Value:
        """A node; numbers become constants. Its shape is that of the first input, if none is given."""
        values = [
            value
            if isinstance(value, ir.Value)
            else self.editor.constant(np.array(value, np.float32), f"{operator}_{i}")
            for i, value in enumerate(inputs)
        ]
        return self.editor.add(operator, values, edit.shape_of(values[0]) if shape is None else shape)

    def compare(self, operator: str, *inputs: ir.Value | float) -> ir.Value:
        """A comparison, or what is made of one."""
        result = self.add(operator, *inputs)
        result.type = ir.TensorType(ir.DataType.BOOL)
        return result

    def reduce(self, operator: str, x: ir.Value, axes: tuple[int, ...]) -> ir.Value:
        """A reduction that keeps its axes, with length 1."""
        shape = tuple(1 if axis in axes else n for axis, n in enumerate(edit.shape_of(x) or ()))
        over = self.editor.constant(np.array(axes, np.int64), f"{operator}_axes")
        return self.editor.add(operator, [x, over], shape, [ir.AttrInt64("keepdims", 1)])


def _log_softmax(place: _Place) -> ir.Value:
    axis = hub.integer(place.node, "axis", -1) % len(place.before)
    below = place.add("Sub", place.x, place.reduce("ReduceMax", place.x, (axis,)))
    return place.add("Sub", below, place.add("Log", place.reduce("ReduceSum", place.add("Exp", below), (axis,))))


def _log_sum_exp(place: _Place) -> ir.Value | None:
    axes = hub.reduced_axes(place.node)
    if not axes:
        return None
    top = place.reduce("ReduceMax", place.x, axes)
    below = place.add("Exp", place.add("Sub", place.x, top))
    return place.editor.reshape(
        place.add("Add", place.add("Log", place.reduce("ReduceSum", below, axes)), top), place.after
    )


def _lp_normalization(place: _Place) -> ir.Value:
    axis = hub.integer(place.node, "axis", -1) % len(place.before)
    if hub.integer(place.node, "p", 2) == 1:
        norm = place.reduce("ReduceSum", place.add("Abs", place.x), (axis,))
    else:
        norm = place.add("Sqrt", place.reduce("ReduceSum", place.add("Mul", place.x, place.x), (axis,)))
    return place.add("Div", place.x, place.add("Max", norm, _LEAST_NORM))


def _local_response(place: _Place) -> ir.Value | None:
    """``x / (bias + alpha * mean of the squares of neighbouring channels) ** beta``."""
    if len(place.before) != 4:
        return None
    size = hub.integer(place.node, "size", 1)
    batch, channels, height, width = place.before
    rows = place.editor.reshape(place.add("Mul", place.x, place.x), (batch, 1, channels, height * width))
    attributes = [
        ir.AttrInt64s("kernel_shape", [size, 1]),
        ir.AttrInt64s("pads", [(size - 1) // 2, 0, size // 2, 0]),
        ir.AttrInt64("count_include_pad", 1),
    ]
    mean = place.editor.add("AveragePool", [rows], edit.shape_of(rows), attributes)
    mean = place.editor.reshape(mean, place.before)
    total = place.add(
        "Add", place.add("Mul", mean, hub.number(place.node, "alpha", 1e-4)), hub.number(place.node, "bias", 1.0)
    )
    return place.add("Div", place.x, place.add("Pow", total, hub.number(place.node, "beta", 0.75)))


def _rest(place: _Place) -> ir.Value | None:
    divisor = place.node.inputs[1]
    if divisor is None:
        return None
    times = place.add("Div", place.x, divisor, shape=place.after)
    whole = place.add("Mul", place.add("Floor", place.add("Abs", times)), place.add("Sign", times))
    return place.add("Sub", place.x, place.add("Mul", whole, divisor), shape=place.after)


def _is_nan(place: _Place) -> ir.Value:
    return place.compare("Not", place.compare("Equal", place.x, place.x))


def _arc_tangent(place: _Place) -> ir.Value:
    """Folded at 1, where ``atan(a) = pi/2 - atan(1/a)``, and at the tangent of an eighth of pi."""
    size = place.add("Abs", place.x)
    inside = place.add("Div", place.add("Min", size, 1.0), place.add("Max", size, 1.0))
    turned = place.add("Div", place.add("Sub", inside, 1.0), place.add("Add", inside, 1.0))
    is_turned = place.compare("Greater", inside, _FOLD)
    t = place.add("Where", is_turned, turned, inside)
    square = place.add("Mul", t, t)
    total = place.add("Mul", square, 8.05374449538e-2)
    for coefficient in (-1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1):
        total = place.add("Mul", place.add("Add", total, coefficient), square)
    angle = place.add("Add", place.add("Mul", total, t), t)
    angle = place.add("Where", is_turned, place.add("Add", angle, np.pi / 4), angle)
    angle = place.add(
        "Where", place.compare("Greater", size, 1.0), place.add("Sub", np.pi / 2, angle, shape=place.before), angle
    )
    return place.add("Mul", angle, place.add("Sign", place.x))


def _triangle(place: _Place) -> ir.Value | None:
    diagonal = edit.constant_integers(place.node, 1) if len(place.node.inputs) > 1 else (0,)
    if diagonal is None:
        return None
    cut = np.triu if hub.integer(place.node, "upper", 1) else np.tril
    ones = cut(np.ones(place.before[-2:], np.float32), diagonal[0])
    return place.add("Mul", place.x, place.editor.constant(ones, "triangle"))


def _centered(place: _Place) -> ir.Value:
    bounds, pads = [], []
    for length, wanted in zip(place.before, place.after, strict=True):
        start = max(0, length - wanted) // 2
        bounds.append((start, start + min(length, wanted)))
        before = max(0, wanted - length) // 2
        pads.append((before, max(0, wanted - length) - before))
    return _padded(place, place.editor.cut(place.x, bounds, "cut"), pads, None)


def _cut_and_padded(place: _Place) -> ir.Value | None:
    pads = hub.pads(place.node)
    is_constant = hub.text(place.node, "mode", "constant") == "constant"
    if pads is None or not is_constant or min(min(both) for both in pads) >= 0:
        return None
    bounds = [
        (max(0, -before), length - max(0, -after)) for (before, after), length in zip(pads, place.before, strict=True)
    ]
    if any(end <= start for start, end in bounds):
        return None
    value = place.node.inputs[2] if len(place.node.inputs) > 2 else None
    cut = place.editor.cut(place.x, bounds, "cut")
    return _padded(place, cut, [(max(0, before), max(0, after)) for before, after in pads], value)


def _padded(place: _Place, x: ir.Value, pads: list[tuple[int, int]], value: ir.Value | None) -> ir.Value:
    if not any(amount for both in pads for amount in both):
        return x
    amounts = place.editor.constant(np.array(pads, np.int64).T.reshape(-1), "pads")
    return place.editor.add("Pad", [x, amounts, *([] if value is None else [value])], place.after)


def _reversed(place: _Place) -> ir.Value | None:
    lengths = edit.constant_integers(place.node, 1)
    if not lengths or len(set(lengths)) > 1:
        return None
    axis = hub.integer(place.node, "time_axis", 0)
    order = [*range(lengths[0])[::-1], *range(lengths[0], place.before[axis])]
    places = place.editor.constant(np.array(order, np.int64), "order")
    return place.editor.add("Gather", [place.x, places], place.after, [ir.AttrInt64("axis", axis)])


_DEFINITIONS: dict[str, Callable[[_Place], ir.Value | None]] = {
    "Atan": _arc_tangent,
    "CenterCropPad": _centered,
    "IsNaN": _is_nan,
    "LRN": _local_response,
    "LogSoftmax": _log_softmax,
    "LpNormalization": _lp_normalization,
    "Mod": _rest,
    "Pad": _cut_and_padded,
    "ReduceLogSumExp": _log_sum_exp,
    "ReverseSequence": _reversed,
    "Trilu": _triangle,
}
