"""Resizing, by the formulas of coremltools' documentation for the points that are sampled."""

import math

import torch
from torch import Tensor

from pocketlens.runtimes.mil.rules.registry import Inputs, rule


def _points(mode: str, before: int, after: int) -> Tensor:
    """Where each of ``after`` samples lies among ``before`` ones, as ``float64 [after]``."""
    index = torch.arange(after, dtype=torch.float64)
    if mode == "STRICT_ALIGN_CORNERS" or (mode == "ALIGN_CORNERS" and after > 1):
        points = index * ((before - 1) / (after - 1) if after > 1 else 0.0)
    elif mode == "ALIGN_CORNERS":
        points = index + (before - 1) / 2
    elif mode == "DEFAULT":
        points = index * ((before - before / after) / (after - 1) if after > 1 else 0.0)
    elif mode == "OFFSET_CORNERS":
        delta = max(1, before - 1) / after
        points = 0.5 * delta + index * delta
    elif mode == "UNALIGN_CORNERS":
        points = (index + 0.5) * (before / after) - 0.5
    else:
        raise ValueError(f"sampling_mode {mode!r} is not known")
    return points.clamp(0, before - 1)


def _sample(x: Tensor, axis: int, points: Tensor) -> Tensor:
    """Between the two neighbours of each point, in proportion."""
    low = points.floor().long()
    high = (low + 1).clamp(max=x.shape[axis] - 1)
    shape = [1] * x.ndim
    shape[axis] = -1
    part = (points - low).float().reshape(shape)
    below, above = x.index_select(axis, low), x.index_select(axis, high)
    return below + (above - below) * part


def _bilinear(x: Tensor, mode: str, height: int, width: int) -> Tensor:
    x = _sample(x, x.ndim - 2, _points(mode, x.shape[-2], height))
    return _sample(x, x.ndim - 1, _points(mode, x.shape[-1], width))


def _scaled(inputs: Inputs) -> tuple[int, int]:
    """Height and width of the result: the product with the scale, cut off."""
    height, width = inputs["x"].shape[-2:]
    return (
        math.floor(height * inputs.number("scale_factor_height", 1.0)),
        math.floor(width * inputs.number("scale_factor_width", 1.0)),
    )


@rule("resize_bilinear")
def resize_bilinear(inputs: Inputs) -> Tensor:
    """To a size, by one of five sampling modes."""
    height, width = inputs.integer("target_size_height", 1), inputs.integer("target_size_width", 1)
    return _bilinear(inputs["x"], inputs.text("sampling_mode", "DEFAULT"), height, width)


@rule("upsample_bilinear")
def upsample_bilinear(inputs: Inputs) -> Tensor:
    """By a factor; the spacing of the points is that of the sizes, not of the factor."""
    aligned = inputs.flag("align_corners", True)
    centred = inputs.flag("half_pixel_centers", not aligned)
    if aligned and centred:
        raise ValueError("align_corners with half_pixel_centers")
    mode = "STRICT_ALIGN_CORNERS" if aligned else "UNALIGN_CORNERS" if centred else "DEFAULT"
    return _bilinear(inputs["x"], mode, *_scaled(inputs))


def _nearest(x: Tensor, height: int, width: int) -> Tensor:
    """The row ``floor(i before / after)``: what torch and TensorFlow, from which these operations come, take."""
    for axis, after in ((x.ndim - 2, height), (x.ndim - 1, width)):
        x = x.index_select(axis, torch.arange(after) * x.shape[axis] // after)
    return x


@rule("upsample_nearest_neighbor")
def upsample_nearest_neighbor(inputs: Inputs) -> Tensor:
    """By a factor."""
    return _nearest(inputs["x"], *_scaled(inputs))


@rule("resize_nearest_neighbor")
def resize_nearest_neighbor(inputs: Inputs) -> Tensor:
    """To a size."""
    return _nearest(inputs["x"], inputs.integer("target_size_height"), inputs.integer("target_size_width"))
