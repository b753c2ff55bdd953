"""Long norms, means and sums, in a form that runtimes of ONNX files compute exactly enough (docs/decisions/0005)."""

import onnx_ir as ir

from pocketlens.converters.rewrites.decompose_group_norm import EXACT_NORMS, MIN_GROUP_VALUES, DecomposeGroupNorm
from pocketlens.converters.rewrites.merge_reshapes import MergeReshapes
from pocketlens.converters.rewrites.step_long_means import StepLongMeans


def decompose_long_norms(model: ir.Model, min_group_values: int = MIN_GROUP_VALUES) -> ir.Model:
    """A copy of the graph that onnxruntime and OpenVINO compute exactly enough at any size; the same pixels.

    Args:
        model: The graph.
        min_group_values: Norms of groups of fewer values stay as they are.

    Example:
        >>> decompose_long_norms(ir.Model(ir.Graph([], [], nodes=[]), ir_version=10)).ir_version
        10
    """
    model = model.clone()
    StepLongMeans()(model)
    if DecomposeGroupNorm(min_group_values)(model).modified:
        MergeReshapes()(model)
    return model


_SHORT = 1 << 12
"""Pixels of the shortest norm of a channel that is decomposed where a graph is not exact enough otherwise."""


def ask_exact_norms(model: ir.Model) -> bool:
    """Have :func:`decompose_long_norms` decompose shorter norms of this graph too, wherever it is called.

    Returns:
        Whether there are any.
    """
    left = decompose_long_norms(model)
    left.metadata_props[EXACT_NORMS] = str(_SHORT)
    if not has_long_norms(left):
        return False
    model.metadata_props[EXACT_NORMS] = str(_SHORT)
    return True


def has_long_norms(model: ir.Model) -> bool:
    """Whether onnxruntime would lose accuracy on the graph as it is."""
    copy = model.clone()
    return DecomposeGroupNorm()(copy).modified or StepLongMeans()(copy).modified
