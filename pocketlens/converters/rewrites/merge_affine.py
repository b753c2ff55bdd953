"""Two products or two sums with constants, one behind the other, become one."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass


class MergeAffine(NodePass):
    """``(x * a) * b`` becomes ``x * (a * b)`` and ``(x + a) + b`` becomes ``x + (a + b)``.

    Exact, because products and sums are associative; the constants are merged in float64. The pass needs that nobody
    else reads what lies between, and float constants whose merger is no larger than the larger of them.
    """

    operators = ("Mul", "Add")

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        return _merge(model, node)


def _split(node: ir.Node) -> tuple[ir.Value, np.ndarray] | None:
    """What is computed and what is constant, where a node has one of each."""
    left, right = node.inputs[:2]
    for x, other in ((left, right), (right, left)):
        array = constant(other)
        if x is not None and constant(x) is None and array is not None and array.dtype == np.float32:
            return x, array
    return None


def _merge(model: ir.Model, node: ir.Node) -> bool:
    outer = _split(node)
    first = edit.producer(outer[0], node.op_type) if outer is not None else None
    inner = _split(first) if first is not None else None
    if outer is None or first is None or inner is None or edit.only_consumer(first.outputs[0]) is not node:
        return False
    a, b = (np.asarray(term, np.float64) for term in (inner[1], outer[1]))
    merged = (a * b if node.op_type == "Mul" else a + b).astype(np.float32)
    if merged.size > max(a.size, b.size) or not np.isfinite(merged).all():
        return False
    editor = edit.Editor(model, node)
    shape = edit.shape_of(node.outputs[0])
    edit.replace(node.outputs[0], editor.add(node.op_type, [inner[0], editor.constant(merged, "constant")], shape))
    return True
