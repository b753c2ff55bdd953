"""Reading means and variances of a picture, in whatever form an exporter has written them."""

import math
from dataclasses import dataclass

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit

_VIEWS = ("Reshape", "Unsqueeze", "Squeeze", "Flatten", "Identity")
"""Operators that keep every value and its place in memory."""
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Statistic:
    """A statistic of x over axes; x is no view of anything that the axes can be named in."""

    x: ir.Value
    axes: tuple[int, ...]


def axes_behind(before: Shape, view: Shape, axes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axes of a tensor that some axes of a view of it stand for; None if they are no whole axes there.

    Axes of length 1 are left out.

    Example:
        >>> axes_behind((1, 8, 4, 6), (8, 24), (1,)), axes_behind((1, 8, 4, 6), (1, 2, 96), (2,))
        ((2, 3), None)
    """
    found: list[int] = []
    i = j = 0
    while i < len(before) or j < len(view):
        ours, theirs = [i] if i < len(before) else [], [j] if j < len(view) else []
        left, right = (before[i] if ours else 1), (view[j] if theirs else 1)
        i, j = i + len(ours), j + len(theirs)
        while left != right:
            if left < right and i < len(before):
                ours, left, i = [*ours, i], left * before[i], i + 1
            elif j < len(view) and right < left:
                theirs, right, j = [*theirs, j], right * view[j], j + 1
            else:
                return None
        inside = {axis in axes for axis in theirs if view[axis] > 1}
        if len(inside) > 1:
            return None
        if inside == {True}:
            found += [axis for axis in ours if before[axis] > 1]
    return tuple(found)


def base_of(x: ir.Value | None, axes: tuple[int, ...]) -> Statistic | None:
    """Some axes of a value, said of the value that it is a view of, as far back as they can be named there."""
    view = edit.shape_of(x)
    if x is None or view is None:
        return None
    node = edit.producer(x, *_VIEWS)
    before = edit.shape_of(node.inputs[0]) if node is not None else None
    mapped = axes_behind(before, view, axes) if before is not None else None
    deeper = base_of(node.inputs[0], mapped) if node is not None and mapped else None
    return deeper or Statistic(x, axes)


def mean_of(value: ir.Value | None) -> Statistic | None:
    """What a value is the mean of, in any shape."""
    node = value.producer() if value is not None else None
    if node is None or node.domain:
        return None
    if node.op_type in _VIEWS:
        return mean_of(node.inputs[0])
    if node.op_type in ("Mul", "Div"):
        return _divided_sum(node)
    x = node.inputs[0] if node.inputs else None
    shape = edit.shape_of(x)
    if x is None or shape is None:
        return None
    if node.op_type == "AveragePool":
        kernel = hub.ints(node, "kernel_shape", ())
        whole = len(shape) == 4 and kernel == shape[2:] and not any(hub.ints(node, "pads", ()))
        return base_of(x, (2, 3)) if whole else None
    if node.op_type not in ("ReduceMean", "GlobalAveragePool"):
        return None
    axes = hub.reduced_axes(node)
    return base_of(x, axes) if axes else None


def _divided_sum(node: ir.Node) -> Statistic | None:
    """``sum(x) / n`` or ``sum(x) * (1 / n)``, where n is how many are added."""
    total, number = edit.producer(node.inputs[0], "ReduceSum"), edit.constant_scalar(node.inputs[1])
    shape = edit.shape_of(total.inputs[0]) if total is not None else None
    axes = hub.reduced_axes(total) if total is not None else None
    if total is None or shape is None or not axes or not number:
        return None
    count = math.prod(shape[axis] for axis in axes)
    divisor = number if node.op_type == "Div" else 1 / number
    return base_of(total.inputs[0], axes) if abs(divisor / count - 1) < 1e-6 else None


def fits(value: ir.Value | None, statistic: Statistic, operand: ir.Value | None) -> bool:
    """Whether a statistic is broadcast over its own axes where it meets an operand, which is a view of its x."""
    small, view, before = edit.shape_of(value), edit.shape_of(operand), edit.shape_of(statistic.x)
    if small is None or view is None or before is None or len(small) > len(view):
        return False
    small = (1,) * (len(view) - len(small)) + small
    spread = tuple(axis for axis, length in enumerate(view) if small[axis] != length)
    if any(small[axis] != 1 for axis in spread):
        return False
    return axes_behind(before, view, spread) == tuple(axis for axis in statistic.axes if before[axis] > 1)


def _over_same(one: Statistic, other: Statistic) -> bool:
    """Whether the axes of one statistic, of a view, are those of another."""
    view, before = edit.shape_of(one.x), edit.shape_of(other.x)
    if view is None or before is None:
        return False
    return axes_behind(before, view, one.axes) == tuple(axis for axis in other.axes if before[axis] > 1)


def is_view_of(value: ir.Value | None, base: ir.Value) -> bool:
    """Whether a value is another, or a view of it."""
    node = value.producer() if value is not None else None
    return value is base or (
        node is not None and not node.domain and node.op_type in _VIEWS and is_view_of(node.inputs[0], base)
    )


def deviation_of(value: ir.Value | None) -> Statistic | None:
    """The statistic whose mean was taken from its x: ``x - mean(x)``, in any view of x."""
    node = edit.producer(value, "Sub")
    if node is None:
        return None
    statistic = mean_of(node.inputs[1])
    matches = (
        statistic is not None and is_view_of(node.inputs[0], statistic.x) and fits(node.inputs[1], statistic, value)
    )
    return statistic if matches else None


def squared(value: ir.Value | None) -> ir.Value | None:
    """What a value is the square of."""
    node = edit.producer(value, "Mul", "Pow")
    if node is None:
        return None
    if node.op_type == "Mul":
        return node.inputs[0] if node.inputs[0] is node.inputs[1] else None
    power = constant(node.inputs[1])
    return node.inputs[0] if power is not None and power.size == 1 and power.item() == 2 else None


def variance_factor(value: ir.Value | None, statistic: Statistic) -> float | None:
    """The factor if a value is, in any shape, a positive factor times the variance of the statistic."""
    if _is_variance(value, statistic):
        return 1.0
    node = value.producer() if value is not None else None
    if node is None or node.domain:
        return None
    if node.op_type in (*_VIEWS, "Relu", "Abs"):  # a variance is never negative: these only mend rounding
        return variance_factor(node.inputs[0], statistic)
    if node.op_type in ("Mul", "Div"):
        for part, term in ((node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])):
            number = edit.constant_scalar(term)
            if number is not None and number > 0 and (node.op_type == "Mul" or part is node.inputs[0]):
                inner = variance_factor(part, statistic)
                return None if inner is None else inner * (number if node.op_type == "Mul" else 1 / number)
    if node.op_type in ("Max", "Clip"):
        low = edit.constant_scalar(node.inputs[1]) if len(node.inputs) > 1 else None
        return variance_factor(node.inputs[0], statistic) if low == 0 and len(node.inputs) == 2 else None
    if node.op_type == "ReduceSum":
        return _summed_squares(node, statistic)
    return None


def _is_variance(value: ir.Value | None, statistic: Statistic) -> bool:
    """``mean((x - mean)²)`` or ``mean(x²) - mean²``."""
    square = mean_of(value)
    if square is not None:
        root = squared(square.x)
        return _over_same(square, statistic) and root is not None and deviation_of(root) == statistic
    node = edit.producer(value, "Sub")
    if node is None:
        return False
    square, mean = mean_of(node.inputs[0]), squared(node.inputs[1])
    shapes = [edit.shape_of(part) for part in node.inputs]
    if square is None or mean is None or shapes[0] != shapes[1] or not _over_same(square, statistic):
        return False
    root = squared(square.x)
    return root is not None and is_view_of(root, statistic.x) and mean_of(mean) == statistic


def _summed_squares(node: ir.Node, statistic: Statistic) -> float | None:
    """``sum((x - mean)²)`` is the variance times how many are added."""
    shape, axes = edit.shape_of(node.inputs[0]), hub.reduced_axes(node)
    total = base_of(node.inputs[0], axes) if shape is not None and axes else None
    root = squared(total.x) if total is not None else None
    if shape is None or axes is None or total is None or root is None:
        return None
    if not _over_same(total, statistic) or deviation_of(root) != statistic:
        return None
    return float(math.prod(shape[axis] for axis in axes))
