"""Roots of means of squares that overflow half precision are taken of values between -1 and 1."""

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.fp16_audit import FP16_MAX, HEADROOM, Extent
from pocketlens.converters.rewrites import edit

_LEAST = 2.0**-14
"""What a vector is divided by at least: the smallest fp16 number with all its digits."""


def even_out_squares(model: ir.Model, extents: Iterable[Extent]) -> list[str]:
    """Let a root mean square be ``m · sqrt(mean((x / m)²) + epsilon / m²)`` where its squares overflow, in place.

    ``m`` is the largest magnitude that each of the means runs over. Exact to float rounding, whatever ``m`` is. A
    common factor (:mod:`~pocketlens.converters.rewrites.fp16_range_scaling`) is no help where some channels or pixels
    are thousands of times smaller than others: their squares would become 0.

    Args:
        model: The graph.
        extents: From :func:`pocketlens.converters.fp16_audit.audit` of this graph.

    Returns:
        The names of the roots.
    """
    too_large = {e.node for e in extents if e.kind == "value" and not e.largest <= FP16_MAX / HEADROOM}
    found = []
    for root in tuple(model.graph):
        if root.op_type not in ("Sqrt", "Pow") or root.domain:
            continue
        power = 0.5 if root.op_type == "Sqrt" else edit.constant_scalar(root.inputs[1])
        parts = _parts(root.inputs[0]) if power in (0.5, -0.5) else None
        if parts is None or str(parts[0].name) not in too_large:
            continue
        found.append(str(root.name))
        _even_out(model, root, *parts, inverse=power == -0.5)
    return found


def _parts(total: ir.Value | None) -> tuple[ir.Node, ir.Node, float] | None:
    """Square, mean and epsilon of what a root is taken of."""
    epsilon = 0.0
    added = edit.producer(total, "Add")
    if added is not None:
        numbers = [edit.constant_scalar(value) for value in added.inputs]
        if numbers.count(None) != 1:
            return None
        epsilon = next(number for number in numbers if number is not None)
        total = added.inputs[numbers.index(None)]
    mean = edit.producer(total, "ReduceMean", "ReduceSum", "GlobalAveragePool")
    square = edit.producer(mean.inputs[0], "Mul", "Pow") if mean is not None else None
    if mean is None or square is None or epsilon < 0 or not hub.reduced_axes(mean):
        return None
    if mean.op_type != "GlobalAveragePool" and not hub.integer(mean, "keepdims", 1):
        return None
    is_square = square.inputs[0] is square.inputs[1] or edit.constant_scalar(square.inputs[1]) == 2
    known = edit.shape_of(square.inputs[0]) is not None and edit.shape_of(mean.outputs[0]) is not None
    return (square, mean, epsilon) if is_square and known else None


def _even_out(model: ir.Model, root: ir.Node, square: ir.Node, mean: ir.Node, epsilon: float, *, inverse: bool) -> None:
    editor = edit.Editor(model, root)
    x = square.inputs[0]
    assert x is not None
    before, after = hub.static_shape(x), hub.static_shape(mean.outputs[0])
    axes = editor.constant(np.array(hub.reduced_axes(mean), np.int64), "axes")
    keep = [ir.AttrInt64("keepdims", 1)]
    top = editor.add("ReduceMax", [editor.add("Abs", [x], before), axes], after, keep)
    least = editor.constant(np.array(max(_LEAST, epsilon**0.5), np.float32), "least")
    top = editor.add("Max", [top, least], after)
    even = editor.add("Div", [x, top], before)
    operator = "ReduceSum" if mean.op_type == "ReduceSum" else "ReduceMean"
    total = editor.add(operator, [editor.add("Mul", [even, even], before), axes], after, keep)
    if epsilon:
        share = editor.add("Div", [editor.constant(np.array(epsilon**0.5, np.float32), "share"), top], after)
        total = editor.add("Add", [total, editor.add("Mul", [share, share], after)], after)
    result = editor.add("Mul", [editor.add("Sqrt", [total], after), top], after)
    if inverse:
        result = editor.add("Reciprocal", [result], after)
    edit.replace(root.outputs[0], result)
