"""What does not depend on the picture is computed once, and every shape that can be known is."""

from typing import Any

import onnx_ir as ir
from onnx_ir.passes import common

from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.fold_budget import MAX_FOLDED_ELEMENTS, FoldBudget, has_too_many_pieces
from pocketlens.converters.rewrites.passes import GraphPass, run

_FOLDINGS = 3
"""How often folding and merging take turns at most before shapes are inferred again."""


class FoldConstants(GraphPass):
    """Compute nodes whose inputs are constant, size arithmetic of a fixed size included; merge what onnxscript merges.

    Exact: the value is the one that the node would compute. The work is onnxscript's, whose rules also fold batch norms
    and paddings into convolutions; shapes are inferred between its rounds, because a Reshape or Resize by a computed
    size hides every shape behind it until that size is a constant. A small constant may stand for a huge one: what
    :class:`~pocketlens.converters.rewrites.fold_budget.FoldBudget` does not allow is left as it is.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Fold until there is nothing more to compute.

        Raises:
            InputError: The constants are too large or take too long.
        """
        nodes, unknown, before = _nodes(model), 0, None
        turns = _turns(FoldBudget())
        while before is None or unknown < before:
            before = _unknown_shapes(model) if before is None else unknown
            run(turns, model)
            _forget_names(model)
            # Not by values: a Range would be computed for it, however long it is. What has a value is folded by now.
            common.ShapeInferencePass(data_prop=False)(model)
            unknown = _unknown_shapes(model)
        return ir.passes.PassResult(model, _nodes(model) != nodes)


def _turns(budget: FoldBudget) -> ir.passes.PassBase:
    """Folding and merging in turns, then what makes the graph tidy again."""
    from onnxscript import rewriter

    tidy = (common.RemoveUnusedNodesPass(), common.RemoveUnusedOpsetsPass())
    return ir.passes.Sequential(
        ir.passes.PassManager([_fold(budget), rewriter.RewritePass(_rules()), *tidy], steps=_FOLDINGS, early_stop=True),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.LiftSubgraphInitializersToMainGraphPass(),
        common.DeduplicateInitializersPass(),
        common.CommonSubexpressionEliminationPass(),
        common.OutputFixPass(),
        common.NameFixPass(),
    )


def _fold(budget: FoldBudget) -> ir.passes.InPlacePass:
    """Onnxscript's constant folding, which asks the budget first."""
    from onnxscript.optimizer import constant_folding

    class BudgetedFold(constant_folding.FoldConstantsPass):
        def process_node(self, node: ir.Node, is_function: bool) -> Any:
            for value in node.inputs:
                if value is not None:  # else each constant lists by name everything that it was ever made of
                    value.meta.pop(constant_folding.FOLDED_FROM_KEY, None)
            return None if has_too_many_pieces(node) else super().process_node(node, is_function)

    return BudgetedFold(
        shape_inference=True,
        input_size_limit=MAX_FOLDED_ELEMENTS,
        output_size_limit=MAX_FOLDED_ELEMENTS,
        should_fold=budget.allows,
    )


def _rules() -> list[Any]:
    """Onnxscript's own rules, without those that take a sum with 1e-9 for no sum and a product with 0.99999 for none:
    that is the epsilon of a norm, and the ``(n - 1) / n`` of its variance. DropNoOps asks exactly.

    The one that makes a Split of two Slices is left out as well: it compares every node with all others, and the two
    parts of an odd length change places.
    """
    from onnxscript import rewriter
    from onnxscript.rewriter.rules.common import _no_op, slice_split_rule

    left_out = {id(rule) for rule in (*_no_op.rules, slice_split_rule)}
    return [rule for rule in rewriter._DEFAULT_REWRITE_RULES if id(rule) not in left_out]


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
