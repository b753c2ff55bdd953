"""Resize: by MIL's operations where they sample the same, else by a matrix for each axis."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_resize
from pocketlens.converters.coreml.builder import MILBuilder, Var, vector
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import floats, shape
from pocketlens.converters.resize_matrix import NEEDS, resize_matrix

_SAMPLING = {
    "half_pixel": "UNALIGN_CORNERS",
    "pytorch_half_pixel": "UNALIGN_CORNERS",
    "align_corners": "STRICT_ALIGN_CORNERS",
    "asymmetric": "DEFAULT",
}
"""ONNX's coordinate_transformation_mode and the sampling_mode of ``resize_bilinear`` with the same formula."""
_ROUNDING: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _coordinates(node: ir.Node) -> str:
    return hub.text(node, "coordinate_transformation_mode", "half_pixel")


def _scales(node: ir.Node) -> tuple[float, float]:
    """Of height and width: the node's own, or the ratios of the sizes."""
    scales = floats(node, 2)
    before, after = shape(node.inputs[0]), shape(node.outputs[0])
    if scales is not None and scales.size:
        axes = hub.ints(node, "axes", (0, 1, 2, 3))
        by_axis = {axis % 4: float(scale) for axis, scale in zip(axes, scales, strict=True)}
        return by_axis.get(2, 1.0), by_axis.get(3, 1.0)
    return after[2] / before[2], after[3] / before[3]


def _has_operation(node: ir.Node) -> bool:
    """Whether ``upsample_bilinear`` or ``resize_bilinear`` computes a Resize."""
    coordinates = _coordinates(node)
    if hub.text(node, "mode", "nearest") != "linear" or coordinates not in _SAMPLING:
        return False
    if hub.integer(node, "antialias", 0) or hub.text(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return False
    for before, after, scale in zip(shape(node.inputs[0])[2:], shape(node.outputs[0])[2:], _scales(node), strict=True):
        # Core ML samples for a whole number, and for a size of 1 by another convention.
        if (coordinates != "align_corners" and abs(before * scale - after) > 1e-3) or (after == 1 and before > 1):
            return False
    return True


@lowering(
    "Resize",
    check=lambda node: check_resize(node, _SAMPLING, _has_operation),
    needs=NEEDS,
)
def resize(builder: MILBuilder, node: ir.Node) -> Var:
    """Nearest: whole factors, strided slices, or a gather. Linear: ``upsample_bilinear`` or ``resize_bilinear``. Else
    two ``matmul``.
    """
    if hub.text(node, "mode", "nearest") == "nearest":
        return _nearest(builder, node)
    if not _has_operation(node):
        shapes = shape(node.inputs[0]), shape(node.outputs[0])
        rows, columns = (resize_matrix(node, axis, *shapes)[None, None] for axis in (2, 3))
        resized = builder.add("matmul", x=rows, y=builder.get(node.inputs[0]))
        return builder.add("matmul", x=resized, y=columns, transpose_y=True)
    x = builder.get(node.inputs[0])
    before, after = shape(node.inputs[0])[2:], shape(node.outputs[0])[2:]
    factors = [a // b for a, b in zip(after, before, strict=True)]
    is_whole = all(a == b * f for a, b, f in zip(after, before, factors, strict=True))
    if is_whole and _coordinates(node) != "asymmetric":
        # The operation that torch's interpolate becomes, which every unit of the phone knows.
        return builder.add(
            "upsample_bilinear",
            x=x,
            scale_factor_height=np.float32(factors[0]),
            scale_factor_width=np.float32(factors[1]),
            align_corners=_coordinates(node) == "align_corners",
        )
    return builder.add(
        "resize_bilinear",
        x=x,
        target_size_height=np.int32(after[0]),
        target_size_width=np.int32(after[1]),
        sampling_mode=_SAMPLING[_coordinates(node)],
    )


def _sampled_indices(node: ir.Node, axis: int) -> NDArray[np.int64]:
    """Which row (axis 0) or column (axis 1) of the input each of the output's is, by ONNX's formula."""
    before, after = shape(node.inputs[0])[2 + axis], shape(node.outputs[0])[2 + axis]
    scale, positions = _scales(node)[axis], np.arange(after, dtype=np.float64)
    coordinates = _coordinates(node)
    if coordinates == "asymmetric":
        sampled = positions / scale
    elif coordinates == "align_corners":
        sampled = positions * (before - 1) / (after - 1) if after > 1 else positions * 0
    elif coordinates == "pytorch_half_pixel" and after == 1:
        sampled = positions * 0
    else:
        sampled = (positions + 0.5) / scale - 0.5
    rounded = _ROUNDING[hub.text(node, "nearest_mode", "round_prefer_floor")](sampled)
    return np.clip(rounded, 0, before - 1).astype(np.int64)


def _nearest(builder: MILBuilder, node: ir.Node) -> Var:
    x, before = builder.get(node.inputs[0]), shape(node.inputs[0])
    indices = [_sampled_indices(node, axis) for axis in range(2)]
    factors = [max(1, len(picked) // length) for picked, length in zip(indices, before[2:], strict=True)]
    if all(
        len(picked) == length * factor and np.array_equal(picked, np.arange(len(picked)) // factor)
        for picked, length, factor in zip(indices, before[2:], factors, strict=True)
    ):
        return builder.add(
            "upsample_nearest_neighbor",
            x=x,
            scale_factor_height=np.float32(factors[0]),
            scale_factor_width=np.float32(factors[1]),
        )
    for axis, picked in enumerate(indices, start=2):
        x = _take(builder, x, picked, axis)
    return x


def _take(builder: MILBuilder, x: Var, indices: NDArray[np.int64], axis: int) -> Var:
    """The rows or columns with these indices: a slice where they are evenly spaced, else a gather."""
    steps = np.diff(indices)
    step = int(steps[0]) if len(steps) else 1
    if step > 0 and (steps == step).all():
        begin, end, stride = [0] * 4, list(x.shape), [1] * 4
        begin[axis], end[axis], stride[axis] = int(indices[0]), int(indices[-1]) + 1, step
        return builder.add("slice_by_index", x=x, begin=vector(begin), end=vector(end), stride=vector(stride))
    return builder.add("gather", x=x, indices=indices.astype(np.int32), axis=np.int32(axis))
