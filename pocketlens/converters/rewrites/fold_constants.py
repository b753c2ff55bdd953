"""What does not depend on the picture is computed once, and every shape that can be known is."""

import math
from typing import Any

import onnx_ir as ir
from onnx_ir.passes import common

from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import GraphPass

MAX_FOLDED_ELEMENTS = 1 << 24
"""Largest constant that is computed, in elements: far above any weight, far below any memory."""

_FOLDINGS = 3
"""How often folding and merging take turns before shapes are inferred again."""
_GROWING = ("ConstantOfShape", "Expand", "OneHot", "Pad", "Range", "Resize", "Tile", "Upsample")


class FoldConstants(GraphPass):
    """Compute nodes whose inputs are constant, size arithmetic of a fixed size included; merge what onnxscript merges.

    Exact: the value is the one that the node would compute. The work is onnxscript's, whose rules also fold batch norms
    and paddings into convolutions; shapes are inferred between its rounds, because a Reshape or Resize by a computed
    size hides every shape behind it until that size is a constant. A small constant may stand for a huge one: a node
    that would give more than :data:`MAX_FOLDED_ELEMENTS` elements, or nobody knows how many, is left as it is.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Fold until there is nothing more to compute."""
        from onnxscript import optimizer, rewriter

        nodes, rules, unknown, before = _nodes(model), _rules(), 0, None
        while before is None or unknown < before:
            before = _unknown_shapes(model) if before is None else unknown
            for _ in range(_FOLDINGS):
                optimizer.fold_constants_ir(
                    model,
                    onnx_shape_inference=True,
                    input_size_limit=1 << 20,
                    output_size_limit=MAX_FOLDED_ELEMENTS,
                    should_fold=_fits,
                )
                rewriter.rewrite(model, rules)
            for tidy in (
                common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
                common.LiftSubgraphInitializersToMainGraphPass(),
                common.DeduplicateInitializersPass(),
                common.CommonSubexpressionEliminationPass(),
                common.OutputFixPass(),
                common.NameFixPass(),
            ):
                tidy(model)
            _forget_names(model)
            common.ShapeInferencePass()(model)
            unknown = _unknown_shapes(model)
        return ir.passes.PassResult(model, _nodes(model) != nodes)


def _rules() -> list[Any]:
    """Onnxscript's own rules, without those that take a sum with 1e-9 for no sum and a product with 0.99999 for none:
    that is the epsilon of a norm, and the ``(n - 1) / n`` of its variance. DropNoOps asks exactly.
    """
    from onnxscript import rewriter
    from onnxscript.rewriter.rules.common import _no_op

    near = set(map(id, _no_op.rules))
    return [rule for rule in rewriter._DEFAULT_REWRITE_RULES if id(rule) not in near]


def _nodes(model: ir.Model) -> list[tuple[str, ...]]:
    """Every node with what it reads and gives, by name."""
    return [(node.op_type, *(str(v and v.name) for v in (*node.inputs, *node.outputs))) for node in model.graph]


def _unknown_shapes(model: ir.Model) -> int:
    """How many values of the graph have no fixed shape."""
    return sum(edit.shape_of(value) is None for node in model.graph for value in node.outputs)


def _forget_names(model: ir.Model) -> None:
    """Drop every shape that names a dimension: inference keeps such a name even where it would find the number now."""
    for node in model.graph:
        for value in node.outputs:
            if edit.shape_of(value) is None:
                value.shape = None


def _fits(node: ir.Node) -> bool | None:
    """Whether the result is small enough; None leaves it to onnxscript's own limits.

    Among them is that quantized weights stay quantized.
    """
    sizes = [math.prod(shape) if (shape := edit.shape_of(value)) is not None else None for value in node.outputs]
    if node.op_type == "ConstantOfShape":
        shape_array = constant(node.inputs[0])
        sizes = [None if shape_array is None else math.prod(shape_array.tolist())]
    if node.op_type == "Range":
        sizes = [_range(node)]
    if any(size is None for size in sizes):
        return False if node.op_type in _GROWING else None
    if any(size is not None and size > MAX_FOLDED_ELEMENTS for size in sizes):
        return False
    return None if node.op_type in ("QuantizeLinear", "DequantizeLinear") else True


def _range(node: ir.Node) -> int | None:
    bounds = [constant(value) for value in node.inputs]
    if len(bounds) != 3 or any(b is None or b.size != 1 for b in bounds):
        return None
    start, end, step = (float(b.item()) for b in bounds if b is not None)
    return math.ceil(abs((end - start) / step)) if step and math.isfinite((end - start) / step) else None
