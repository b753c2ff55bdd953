"""Exact graph-to-graph passes: the same pixels. One pass a file; :func:`clean` runs those that every target wants."""

import onnx_ir as ir
from onnx_ir.passes import common

from pocketlens.converters.rewrites.crop_transposed_conv import CropTransposedConv
from pocketlens.converters.rewrites.drop_no_ops import DropNoOps
from pocketlens.converters.rewrites.fold_affine_after import FoldAffineAfter
from pocketlens.converters.rewrites.fold_affine_before import FoldAffineBefore
from pocketlens.converters.rewrites.fold_constants import FoldConstants
from pocketlens.converters.rewrites.merge_affine import MergeAffine
from pocketlens.converters.rewrites.merge_reshapes import MergeReshapes
from pocketlens.converters.rewrites.move_transposes import MoveTransposes
from pocketlens.converters.rewrites.recognize_norms import RecognizeNorms
from pocketlens.converters.rewrites.spell_out_layer_norm import SpellOutLayerNorm
from pocketlens.converters.rewrites.spell_out_rare import SpellOutRare
from pocketlens.converters.rewrites.spell_out_resize import SpellOutResize

PASSES: tuple[type[ir.passes.InPlacePass], ...] = (
    CropTransposedConv,
    DropNoOps,
    MergeReshapes,
    MoveTransposes,
    SpellOutLayerNorm,
    SpellOutRare,
    SpellOutResize,
    RecognizeNorms,
    FoldAffineAfter,
    FoldAffineBefore,
    MergeAffine,
)
"""The passes that :func:`clean` repeats, in their order."""

MAX_ROUNDS = 20
"""How often they are repeated at most; each round but the last leaves fewer or simpler nodes."""


def clean(model: ir.Model) -> None:
    """Make every shape known, and run :data:`PASSES` until none changes anything. In place.

    Constants, batch norms and paddings are folded, Transposes cancelled, norms recognized, dead and duplicate nodes dropped.
    A graph that is clean is not changed.

    Raises:
        RuntimeError: Shapes cannot be inferred, or a constant cannot be computed.
    """
    for _ in range(MAX_ROUNDS):
        FoldConstants()(model)
        modified = False
        for kind in PASSES:
            modified |= kind()(model).modified
        if not modified:
            break
    tidy(model)


def tidy(model: ir.Model) -> None:
    """Drop dead and duplicate nodes and weights, sort, name everything, and infer every shape. In place."""
    for run in (
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
    ):
        run(model)
    for index, node in enumerate(model.graph):
        node.name = node.name or f"{node.op_type.lower()}_{index}"
