"""Normalizations that an exporter has taken apart are put together again."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.norm_form import groups_of, normal
from pocketlens.converters.rewrites.passes import NodePass


class RecognizeNorms(NodePass):
    """Put ``(x - mean) / sqrt(variance + epsilon)`` back as one op, however it is written.

    What is looked for is not a list of patterns but the meaning of a product: its factors, through any chain of Mul,
    Div and Reciprocal, are a deviation ``x - mean(x)``, the inverse deviation ``(k * variance(x) + epsilon) ** -0.5``
    of the same x over the same axes, and others, which stay a product behind. TensorFlow's way,
    ``x * f + (b - mean(x) * f)`` with the inverse deviation in f, is the same after multiplying out. The variance may
    be the mean of squared deviations or ``mean(x²) - mean(x)²``.

    Exact: all of these are equal as formulas (to rounding; ``mean(x²) - mean(x)²`` itself rounds worst of all). With
    ``k * variance``, as torch's unbiased variance is written, ``(k v + e) ** -0.5 = k ** -0.5 * (v + e / k) ** -0.5``.
    An epsilon that is added to the root and not under it is something else and left alone. The forms that come out are
    those of :mod:`~pocketlens.converters.rewrites.norm_form`; over other axes everything stays as it is. What somebody
    else reads of the parts stays too. The pass needs fixed shapes, and shared subexpressions to be shared (run it after
    constant folding).
    """

    operators = ("Mul", "Div", "Add", "Sub")
    backwards = True

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies; the outermost come first."""
        if edit.shape_of(node.outputs[0]) is None:
            return False
        return _centred(model, node) if node.op_type in ("Mul", "Div") else _multiplied_out(model, node)


@dataclass(frozen=True)
class _Statistic:
    """A statistic of x over axes."""

    x: ir.Value
    axes: tuple[int, ...]


@dataclass(frozen=True)
class _InverseDeviation:
    """``(factor * variance + epsilon) ** -0.5`` of x over axes."""

    statistic: _Statistic
    factor: float
    epsilon: float


def _centred(model: ir.Model, node: ir.Node) -> bool:
    """``(x - mean) * inverse deviation * others``."""
    above, below = _factors(node.outputs[0])
    for value in above:
        statistic = _deviation(value)
        if statistic is None or groups_of(statistic.x, statistic.axes) is None:
            continue
        inverse = _take_inverse(statistic, above, below)
        if inverse is None:
            continue
        above.remove(value)
        return _put(model, node, inverse, above, below, None)
    return False


def _multiplied_out(model: ir.Model, node: ir.Node) -> bool:
    """``x * f + (b - mean * f)`` or ``x * f - mean * f``, with the inverse deviation in f."""
    left, right = node.inputs[:2]
    pairs = ((left, right),) if node.op_type == "Sub" else ((left, right), (right, left))
    for scaled, term in pairs:
        bias, rest = None, term
        if node.op_type == "Add":
            inner = edit.producer(rest, "Sub")
            if inner is None:
                continue
            bias, rest = inner.inputs[:2]
        above, below = _factors(scaled)
        other_above, other_below = _factors(rest)
        for mean in other_above:
            statistic = _mean(mean)
            if (
                statistic is None
                or not _fits(mean, statistic)
                or statistic.x not in above
                or groups_of(statistic.x, statistic.axes) is None
            ):
                continue
            left_above, right_above = list(above), list(other_above)
            left_above.remove(statistic.x)
            right_above.remove(mean)
            if not _same(left_above, right_above) or not _same(below, other_below):
                continue
            inverse = _take_inverse(statistic, left_above, below)
            if inverse is not None:
                return _put(model, node, inverse, left_above, below, bias)
    return False


def _same(some: list[ir.Value], others: list[ir.Value]) -> bool:
    return sorted(map(id, some)) == sorted(map(id, others))


def _factors(value: ir.Value | None, depth: int = 6) -> tuple[list[ir.Value], list[ir.Value]]:
    """What a value is the product of, and what that is divided by; any other operator's output is a factor itself."""
    if value is None:
        return [], []
    node = edit.producer(value, "Mul", "Div", "Reciprocal")
    if node is None or not depth:
        return [value], []
    above, below = _factors(node.inputs[0], depth - 1)
    if node.op_type == "Reciprocal":
        return below, above
    more, less = _factors(node.inputs[1], depth - 1)
    return (above + more, below + less) if node.op_type == "Mul" else (above + less, below + more)


def _take_inverse(statistic: _Statistic, above: list[ir.Value], below: list[ir.Value]) -> _InverseDeviation | None:
    """Take the inverse deviation of the statistic out of the factors, if it is there."""
    for values, sign in ((below, 0.5), (above, -0.5)):
        for value in values:
            inverse = _root(value, sign, statistic)
            if inverse is not None:
                values.remove(value)
                return inverse
    return None


def _root(value: ir.Value, power: float, statistic: _Statistic) -> _InverseDeviation | None:
    """``(factor * variance + epsilon) ** power``, where power 0.5 may be a Sqrt, of a shape that fits x."""
    node = edit.producer(value, "Sqrt", "Pow")
    if node is None or (edit.constant_scalar(node.inputs[1]) if node.op_type == "Pow" else 0.5) != power:
        return None
    total = edit.producer(node.inputs[0], "Add")
    if total is None:
        return None
    for part, term in ((total.inputs[0], total.inputs[1]), (total.inputs[1], total.inputs[0])):
        epsilon = edit.constant_scalar(term)
        factor = _variance(part, statistic)
        if epsilon is not None and epsilon > 0 and factor is not None and _fits(value, statistic):
            return _InverseDeviation(statistic, factor, epsilon)
    return None


def _variance(value: ir.Value | None, statistic: _Statistic) -> float | None:
    """The factor if a value is, in any shape, a positive factor times the variance of the statistic."""
    node = value.producer() if value is not None else None
    if node is None or node.domain:
        return None
    if node.op_type in ("Reshape", "Unsqueeze", "Squeeze"):
        inner = _variance(node.inputs[0], statistic)
        if inner is not None:
            return inner
    if node.op_type in ("Mul", "Div"):
        for part, term in ((node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])):
            number = edit.constant_scalar(term)
            if number is not None and number > 0 and (node.op_type == "Mul" or part is node.inputs[0]):
                inner = _variance(part, statistic)
                return None if inner is None else inner * (number if node.op_type == "Mul" else 1 / number)
        return None
    if node.op_type in ("Relu", "Abs"):  # a variance is never negative: these only mend rounding
        return _variance(node.inputs[0], statistic)
    if node.op_type in ("Max", "Clip"):
        low = edit.constant_scalar(node.inputs[1]) if len(node.inputs) > 1 else None
        return _variance(node.inputs[0], statistic) if low == 0 and len(node.inputs) == 2 else None
    if node.op_type == "Sub":
        square, mean = _mean(node.inputs[0]), _squared(node.inputs[1])
        shapes = [edit.shape_of(part) for part in node.inputs]
        if (
            square is None
            or mean is None
            or shapes[0] != shapes[1]
            or square.axes != statistic.axes
            or _squared(square.x) is not statistic.x
        ):
            return None
        return 1.0 if _mean(mean) == statistic else None
    square = _mean(value)
    if square is None or square.axes != statistic.axes:
        return None
    root = _squared(square.x)
    return 1.0 if root is not None and _deviation(root) == statistic else None


def _squared(value: ir.Value | None) -> ir.Value | None:
    node = edit.producer(value, "Mul", "Pow")
    if node is None:
        return None
    if node.op_type == "Mul":
        return node.inputs[0] if node.inputs[0] is node.inputs[1] else None
    power = constant(node.inputs[1])
    return node.inputs[0] if power is not None and power.size == 1 and power.item() == 2 else None


def _deviation(value: ir.Value | None) -> _Statistic | None:
    node = edit.producer(value, "Sub")
    if node is None:
        return None
    statistic = _mean(node.inputs[1])
    return (
        statistic
        if statistic is not None and statistic.x is node.inputs[0] and _fits(node.inputs[1], statistic)
        else None
    )


def _fits(value: ir.Value | None, statistic: _Statistic) -> bool:
    """Whether a statistic has a 1 for each axis that went, so that it is broadcast over those."""
    shape = edit.shape_of(statistic.x)
    assert shape is not None
    return edit.shape_of(value) == tuple(1 if axis in statistic.axes else length for axis, length in enumerate(shape))


def _mean(value: ir.Value | None) -> _Statistic | None:
    """What a value is the mean of, in any shape."""
    node = edit.producer(value, "ReduceMean", "GlobalAveragePool", "Reshape", "Unsqueeze", "Squeeze")
    if node is not None and node.op_type in ("Reshape", "Unsqueeze", "Squeeze"):
        return _mean(node.inputs[0])
    x = node.inputs[0] if node is not None else None
    if node is None or x is None or edit.shape_of(x) is None:
        return None
    axes = hub.reduced_axes(node)
    return _Statistic(x, axes) if axes else None


def _put(
    model: ir.Model,
    node: ir.Node,
    inverse: _InverseDeviation,
    above: list[ir.Value],
    below: list[ir.Value],
    bias: ir.Value | None,
) -> bool:
    editor = edit.Editor(model, node)
    shape = edit.shape_of(node.outputs[0])
    result = normal(editor, inverse.statistic.x, inverse.statistic.axes, inverse.epsilon / inverse.factor)
    assert result is not None
    if inverse.factor != 1:
        scale = editor.constant(np.array(inverse.factor**-0.5, np.float32), "factor")
        result = editor.add("Mul", [result, scale], edit.shape_of(result))
    for operator, terms in (("Mul", above), ("Div", below), ("Add", [] if bias is None else [bias])):
        for term in terms:
            sizes = (edit.shape_of(result), edit.shape_of(term))
            known = None if None in sizes else np.broadcast_shapes(*sizes)  # type: ignore[arg-type]
            result = editor.add(operator, [result, term], known)
    assert result.shape is None or edit.shape_of(result) == shape
    edit.replace(node.outputs[0], result)
    return True
