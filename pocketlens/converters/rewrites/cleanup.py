"""What every graph gets after it was changed: nothing dead, nothing twice, everything in order and with a name and
shape.
"""

import onnx_ir as ir
from onnx_ir.passes import common

from pocketlens.converters.rewrites.passes import run


class NameNodes(ir.passes.InPlacePass):
    """Give a name to every node that has none."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Name nodes by their operator and place."""
        modified = False
        for index, node in enumerate(model.graph):
            if not node.name:
                node.name = f"{node.op_type.lower()}_{index}"
                modified = True
        return ir.passes.PassResult(model, modified)

    def ensures(self, model: ir.Model) -> None:
        """Check that every node has a name.

        Raises:
            PostconditionError: One has none.
        """
        for node in model.graph:
            if not node.name:
                raise ir.passes.PostconditionError(f"a {node.op_type} has no name")


def cleanup(model: ir.Model) -> None:
    """Drop dead and duplicate nodes and weights, sort, name everything, and infer every shape. In place."""
    run(
        ir.passes.Sequential(
            common.IdentityEliminationPass(),
            common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
            common.CommonSubexpressionEliminationPass(),
            common.DeduplicateInitializersPass(),
            common.RemoveUnusedNodesPass(),
            common.RemoveUnusedOpsetsPass(),
            common.ClearMetadataAndDocStringPass(),
            common.TopologicalSortPass(),
            common.NameFixPass(),
            common.ShapeInferencePass(),
            NameNodes(),
        ),
        model,
    )
