"""Norms over very many values, in a form that runtimes of ONNX files compute exactly enough (docs/decisions/0005)."""

import onnx_ir as ir

from pocketlens.converters.rewrites.decompose_group_norm import DecomposeGroupNorm
from pocketlens.converters.rewrites.merge_reshapes import MergeReshapes


def decompose_long_norms(model: ir.Model) -> ir.Model:
    """A copy of the graph that onnxruntime and OpenVINO compute exactly enough at any size; the same pixels.

    Example:
        >>> decompose_long_norms(ir.Model(ir.Graph([], [], nodes=[]), ir_version=10)).ir_version
        10
    """
    model = model.clone()
    if DecomposeGroupNorm()(model).modified:
        MergeReshapes()(model)
    return model


def has_long_norms(model: ir.Model) -> bool:
    """Whether onnxruntime would lose accuracy on the graph as it is."""
    return DecomposeGroupNorm()(model.clone()).modified
