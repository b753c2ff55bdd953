"""Resize: Core AI samples at ``(i + 1/2 - offset) / scale - 1/2`` and takes scale and offset as they come."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_resize
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var, signed
from pocketlens.converters.coreai.lowerings.shapes import take
from pocketlens.converters.coreai.registry import lowering
from pocketlens.converters.lowering import shape
from pocketlens.converters.nearest import resize_scale, source_indices
from pocketlens.converters.resize_matrix import NEEDS, resize_matrix

_COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")


def _coordinates(node: ir.Node) -> str:
    return hub.text(node, "coordinate_transformation_mode", "half_pixel")


def _has_operation(node: ir.Node) -> bool:
    """Whether ``interpolate`` computes a Resize."""
    return (
        hub.text(node, "mode", "nearest") == "linear"
        and _coordinates(node) in _COORDINATES
        and not hub.integer(node, "antialias", 0)
        and hub.text(node, "keep_aspect_ratio_policy", "stretch") == "stretch"
    )


@lowering(
    "Resize",
    check=lambda node: check_resize(node, _COORDINATES, _has_operation),
    needs=NEEDS,
)
def resize(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``interpolate``; nearest by indices where it is no whole enlargement, since Core AI rounds a half to even; two
    matrices for what it does not interpolate.
    """
    if hub.text(node, "mode", "nearest") == "nearest":
        return _nearest(builder, node)
    return _linear(builder, node) if _has_operation(node) else _by_matrices(builder, node)


def _by_matrices(builder: CoreAIBuilder, node: ir.Node) -> Var:
    shapes = shape(node.inputs[0]), shape(node.outputs[0])
    rows, columns = (resize_matrix(node, axis, *shapes)[None, None] for axis in (2, 3))
    multiply = builder.ops.broadcasting_batch_matmul
    resized = multiply(builder.floats(rows), builder.get(node.inputs[0]))
    return multiply(resized, builder.floats(np.ascontiguousarray(columns.swapaxes(2, 3))))


def _linear(builder: CoreAIBuilder, node: ir.Node) -> Var:
    before, after = shape(node.inputs[0]), shape(node.outputs[0])
    scales, offsets = zip(*(_sampling(node, axis, before, after) for axis in (2, 3)), strict=True)
    return _interpolate(builder, node, scales, offsets, "linear")


def _interpolate(
    builder: CoreAIBuilder, node: ir.Node, scales: tuple[float, ...], offsets: tuple[float, ...], mode: str
) -> Var:
    return builder.ops.interpolate(
        builder.get(node.inputs[0]),
        signed(shape(node.outputs[0])),
        np.array((1, 1, *scales), np.float32),
        np.array((0, 0, *offsets), np.float32),
        mode,
    )


def _sampling(node: ir.Node, axis: int, before: tuple[int, ...], after: tuple[int, ...]) -> tuple[float, float]:
    """Scale and offset that sample where ONNX does."""
    coordinates, scale = _coordinates(node), resize_scale(node, axis, before, after)
    if coordinates == "align_corners":
        scale = (after[axis] - 1) / (before[axis] - 1) if min(before[axis], after[axis]) > 1 else 1.0
    samples_from_corner = coordinates in ("align_corners", "asymmetric") or (
        coordinates == "pytorch_half_pixel" and after[axis] == 1
    )
    return scale, 0.5 * (1 - scale) if samples_from_corner else 0.0


def _nearest(builder: CoreAIBuilder, node: ir.Node) -> Var:
    before, after = shape(node.inputs[0]), shape(node.outputs[0])
    picked = {axis: source_indices(node, axis, before, after) for axis in (2, 3)}
    factors = [after[axis] // before[axis] for axis in (2, 3)]
    if all(
        np.array_equal(indices, np.arange(before[axis] * factor) // factor) if factor and indices is not None else False
        for (axis, indices), factor in zip(picked.items(), factors, strict=True)
    ):
        return _interpolate(builder, node, tuple(map(float, factors)), (0.0, 0.0), "nearest_neighbor")
    x = builder.get(node.inputs[0])
    lengths = list(before)
    for axis, indices in picked.items():
        assert indices is not None
        x = take(builder, x, lengths, [int(index) for index in indices], axis)
        lengths[axis] = len(indices)
    return x
