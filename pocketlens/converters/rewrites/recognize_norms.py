"""Normalizations that an exporter has taken apart are put together again."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.norm_form import groups_of, normal
from pocketlens.converters.rewrites.passes import NodePass
from pocketlens.converters.rewrites.statistics import (
    Statistic,
    deviation_of,
    fits,
    is_view_of,
    mean_of,
    variance_factor,
)


class RecognizeNorms(NodePass):
    """Put ``(x - mean) / sqrt(variance + epsilon)`` back as one op, however it is written.

    What is looked for is not a list of patterns but the meaning of a product: its factors, through any chain of Mul,
    Div and Reciprocal, are a deviation ``x - mean(x)``, the inverse deviation ``(k * variance(x) + epsilon) ** -0.5``
    of the same x over the same axes, and others, which stay a product behind. TensorFlow's way,
    ``x * f + (b - mean(x) * f)`` with the inverse deviation in f, is the same after multiplying out. The variance may
    be the mean of squared deviations or ``mean(x²) - mean(x)²``; each part may be taken of a view of x, of flat pixels
    for instance (:mod:`~pocketlens.converters.rewrites.statistics`).

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
class _InverseDeviation:
    """``(factor * variance + epsilon) ** -0.5`` of x over axes."""

    statistic: Statistic
    factor: float
    epsilon: float


def _centred(model: ir.Model, node: ir.Node) -> bool:
    """``(x - mean) * inverse deviation * others``."""
    above, below = _factors(node.outputs[0])
    for value in above:
        statistic = deviation_of(value)
        if statistic is None or groups_of(statistic.x, statistic.axes) is None:
            continue
        inverse = _take_inverse(statistic, above, below, value)
        if inverse is None:
            continue
        above.remove(value)
        return _put(model, node, inverse, value, above, below, None)
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
            statistic = mean_of(mean)
            if statistic is None or groups_of(statistic.x, statistic.axes) is None:
                continue
            x = next((factor for factor in above if is_view_of(factor, statistic.x)), None)
            if x is None or not fits(mean, statistic, x):
                continue
            left_above, right_above = list(above), list(other_above)
            left_above.remove(x)
            right_above.remove(mean)
            if not _same(left_above, right_above) or not _same(below, other_below):
                continue
            inverse = _take_inverse(statistic, left_above, below, x)
            if inverse is not None:
                return _put(model, node, inverse, x, left_above, below, bias)
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


def _take_inverse(
    statistic: Statistic, above: list[ir.Value], below: list[ir.Value], operand: ir.Value
) -> _InverseDeviation | None:
    """Take the inverse deviation of the statistic out of the factors of an operand, if it is there."""
    for values, sign in ((below, 0.5), (above, -0.5)):
        for value in values:
            inverse = _root(value, sign, statistic) if fits(value, statistic, operand) else None
            if inverse is not None:
                values.remove(value)
                return inverse
    return None


def _root(value: ir.Value | None, power: float, statistic: Statistic) -> _InverseDeviation | None:
    """``(factor * variance + epsilon) ** power`` in any shape, where power 0.5 may be a Sqrt, and -0.5 one below 1."""
    node = edit.producer(value, "Sqrt", "Pow", "Reshape", "Squeeze", "Unsqueeze", "Reciprocal", "Div")
    if node is not None and node.op_type == "Div":
        return _root(node.inputs[1], -power, statistic) if edit.constant_scalar(node.inputs[0]) == 1 else None
    if node is not None and node.op_type not in ("Sqrt", "Pow"):
        return _root(node.inputs[0], -power if node.op_type == "Reciprocal" else power, statistic)
    if node is None or (edit.constant_scalar(node.inputs[1]) if node.op_type == "Pow" else 0.5) != power:
        return None
    total = edit.producer(node.inputs[0], "Add")
    if total is None:
        return None
    for part, term in ((total.inputs[0], total.inputs[1]), (total.inputs[1], total.inputs[0])):
        epsilon = edit.constant_scalar(term)
        factor = variance_factor(part, statistic)
        if epsilon is not None and epsilon > 0 and factor is not None:
            return _InverseDeviation(statistic, factor, epsilon)
    return None


def _put(
    model: ir.Model,
    node: ir.Node,
    inverse: _InverseDeviation,
    operand: ir.Value,
    above: list[ir.Value],
    below: list[ir.Value],
    bias: ir.Value | None,
) -> bool:
    editor = edit.Editor(model, node)
    shape = edit.shape_of(node.outputs[0])
    result = normal(editor, inverse.statistic.x, inverse.statistic.axes, inverse.epsilon / inverse.factor)
    view = edit.shape_of(operand)
    assert result is not None
    assert view is not None
    result = editor.reshape(result, view)
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
