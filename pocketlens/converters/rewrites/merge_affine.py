"""Two products or two sums with constants, one behind the other, become one."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

_LARGEST = 65504.0
"""The largest finite number of fp16: what a divisor above it divides by would be infinite there."""


class MergeAffine(NodePass):
    """``(x * a) * b`` becomes ``x * (a * b)`` and ``(x + a) + b`` becomes ``x + (a + b)``.

    A division by a constant counts as a product with its reciprocal, so that ``x * n / (n - 1)``, as unbiased variances
    are written, needs no number of the size of n. Exact, because products and sums are associative; the constants are
    merged in float64. The pass needs that nobody else reads what lies between, and float constants whose merger is no
    larger than the larger of them.
    """

    operators = ("Mul", "Add", "Div")

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        return _merge(model, node) or _multiply(model, node)


def _split(node: ir.Node) -> tuple[ir.Value, np.ndarray] | None:
    """What is computed and what is constant, where a node has one of each; of a division the constant's reciprocal."""
    left, right = node.inputs[:2]
    for x, other in ((left, right), (right, left)):
        array = constant(other)
        if x is None or constant(x) is not None or array is None or array.dtype != np.float32:
            continue
        if node.op_type != "Div":
            return x, array.astype(np.float64)
        if x is left and (array != 0).all():
            return x, 1 / array.astype(np.float64)
    return None


def _merge(model: ir.Model, node: ir.Node) -> bool:
    outer, kinds = _split(node), ("Add",) if node.op_type == "Add" else ("Mul", "Div")
    first = edit.producer(outer[0], *kinds) if outer is not None else None
    inner = _split(first) if first is not None else None
    if outer is None or first is None or inner is None or edit.only_consumer(first.outputs[0]) is not node:
        return False
    a, b = inner[1], outer[1]
    merged = (a + b if node.op_type == "Add" else a * b).astype(np.float32)
    if merged.size > max(a.size, b.size) or not np.isfinite(merged).all():
        return False
    return _put(model, node, kinds[0], inner[0], merged)


def _multiply(model: ir.Model, node: ir.Node) -> bool:
    """A division by more than half precision holds, as a product."""
    split = _split(node) if node.op_type == "Div" else None
    if split is None or np.abs(1 / split[1]).max() <= _LARGEST:
        return False
    return _put(model, node, "Mul", split[0], split[1].astype(np.float32))


def _put(model: ir.Model, node: ir.Node, operator: str, x: ir.Value, term: np.ndarray) -> bool:
    editor = edit.Editor(model, node)
    shape = edit.shape_of(node.outputs[0])
    edit.replace(node.outputs[0], editor.add(operator, [x, editor.constant(term, "constant")], shape))
    return True
