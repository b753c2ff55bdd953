"""Which input pixel each output pixel of a nearest Resize copies, by ONNX's definition."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant


def resize_scale(node: ir.Node, axis: int, before: tuple[int, ...], after: tuple[int, ...]) -> float:
    """The scale of a Resize along an axis of four: its own, or the ratio of the sizes; ``axes`` is all four by now."""
    scales = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if scales is not None and scales.size == 4:
        return float(scales.reshape(-1)[axis])
    return after[axis] / before[axis]


def source_indices(
    node: ir.Node, axis: int, before: tuple[int, ...], after: tuple[int, ...]
) -> NDArray[np.int64] | None:
    """The pixel that each output position takes, in the float32 that runtimes use; None if the convention is not
    known.
    """
    length, out = before[axis], after[axis]
    factor = np.float32(resize_scale(node, axis, before, after))
    convention = hub.text(node, "coordinate_transformation_mode", "half_pixel")
    rounding = hub.text(node, "nearest_mode", "round_prefer_floor")
    at = np.arange(out, dtype=np.float32)
    if convention in ("half_pixel", "pytorch_half_pixel"):
        at = (at + np.float32(0.5)) / factor - np.float32(0.5) if out > 1 or convention == "half_pixel" else at * 0
    elif convention == "align_corners":
        at = at * np.float32(length - 1) / np.float32(max(out - 1, 1))
    elif convention == "asymmetric":
        at = at / factor
    else:
        return None
    rounded = {
        "round_prefer_floor": np.ceil(at - np.float32(0.5)),
        "round_prefer_ceil": np.floor(at + np.float32(0.5)),
        "floor": np.floor(at),
        "ceil": np.ceil(at),
    }[rounding]
    indices: NDArray[np.int64] = np.clip(rounded, 0, length - 1).astype(np.int64)
    return indices
