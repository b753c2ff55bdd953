"""The passes that every target wants: they bring a graph into the one form that rewrites and emitters know."""

import onnx_ir as ir

from pocketlens.converters.rewrites.cleanup import cleanup
from pocketlens.converters.rewrites.crop_transposed_conv import CropTransposedConv
from pocketlens.converters.rewrites.decompose_computed_conv import DecomposeComputedConv
from pocketlens.converters.rewrites.decompose_einsum import DecomposeEinsum
from pocketlens.converters.rewrites.decompose_fourier import DecomposeFourier
from pocketlens.converters.rewrites.decompose_functions import DecomposeFunctions
from pocketlens.converters.rewrites.decompose_gather import DecomposeGather
from pocketlens.converters.rewrites.decompose_integers import DecomposeIntegers
from pocketlens.converters.rewrites.decompose_layer_norm import DecomposeLayerNorm
from pocketlens.converters.rewrites.decompose_rare import DecomposeRare
from pocketlens.converters.rewrites.decompose_resize import DecomposeResize
from pocketlens.converters.rewrites.decompose_scatter import DecomposeScatter
from pocketlens.converters.rewrites.decompose_tables import DecomposeTables
from pocketlens.converters.rewrites.decompose_volumes import DecomposeVolumes
from pocketlens.converters.rewrites.drop_no_ops import DropNoOps
from pocketlens.converters.rewrites.fold_affine_after import FoldAffineAfter
from pocketlens.converters.rewrites.fold_affine_before import FoldAffineBefore
from pocketlens.converters.rewrites.fold_constants import FoldConstants
from pocketlens.converters.rewrites.merge_affine import MergeAffine
from pocketlens.converters.rewrites.merge_axes import MergeAxes
from pocketlens.converters.rewrites.merge_reshapes import MergeReshapes
from pocketlens.converters.rewrites.move_transposes import MoveTransposes
from pocketlens.converters.rewrites.passes import run
from pocketlens.converters.rewrites.recognize_norms import RecognizeNorms
from pocketlens.converters.rewrites.sink_expand import ShrinkConstants, SinkExpand
from pocketlens.converters.rewrites.spread_constants import SpreadConstants

PASSES: tuple[type[ir.passes.InPlacePass], ...] = (
    CropTransposedConv,
    DropNoOps,
    SinkExpand,
    ShrinkConstants,
    MergeReshapes,
    MoveTransposes,
    DecomposeComputedConv,
    DecomposeEinsum,
    DecomposeFourier,
    DecomposeFunctions,
    DecomposeGather,
    DecomposeIntegers,
    DecomposeLayerNorm,
    DecomposeRare,
    DecomposeResize,
    DecomposeScatter,
    DecomposeTables,
    DecomposeVolumes,
    MergeAxes,
    RecognizeNorms,
    FoldAffineAfter,
    FoldAffineBefore,
    MergeAffine,
    SpreadConstants,
)
"""The passes that :func:`canonicalize` repeats behind constant folding, in their order."""

MAX_ROUNDS = 20
"""How often they are repeated at most; each round but the last leaves fewer or simpler nodes."""


def canonicalize(model: ir.Model) -> None:
    """Make every shape known, and run :data:`PASSES` until none changes anything. In place.

    Constants, batch norms and paddings are folded, Transposes cancelled, norms recognized, dead and duplicate nodes
    dropped. A graph in this form is not changed.

    Raises:
        RuntimeError: Shapes cannot be inferred, or a constant cannot be computed.
    """
    passes = [FoldConstants(), *(kind() for kind in PASSES)]
    run(ir.passes.PassManager(passes, steps=MAX_ROUNDS, early_stop=True), model)
    cleanup(model)
