"""Places of the largest values, the largest values themselves, and running sums, along one axis."""

import torch
from torch import Tensor

from pocketlens.runtimes.mil.rules.registry import Inputs, rule


@rule("reduce_argmax")
def reduce_argmax(inputs: Inputs) -> Tensor:
    """The first place of the largest value."""
    return _first_place(inputs, inputs["x"].amax(inputs.integer("axis", -1), keepdim=True))


@rule("reduce_argmin")
def reduce_argmin(inputs: Inputs) -> Tensor:
    """The first place of the smallest value."""
    return _first_place(inputs, inputs["x"].amin(inputs.integer("axis", -1), keepdim=True))


def _first_place(inputs: Inputs, extreme: Tensor) -> Tensor:
    x, axis = inputs["x"], inputs.integer("axis", -1) % inputs["x"].ndim
    lengths = [x.shape[axis] if i == axis else 1 for i in range(x.ndim)]
    places = torch.arange(x.shape[axis], dtype=torch.int32).reshape(lengths)
    return torch.where(x == extreme, places, x.shape[axis]).amin(axis, keepdim=inputs.flag("keep_dims", False)).int()


@rule("cumsum")
def cumsum(inputs: Inputs) -> Tensor:
    """The sum of a value and all in front of it, or all behind it, with or without itself."""
    x, axis = inputs["x"], inputs.integer("axis", 0)
    turned = inputs.flag("reverse", False)
    x = x.flip(axis) if turned else x
    sums = x.double().cumsum(axis)
    sums = sums - x.double() if inputs.flag("exclusive", False) else sums
    return (sums.flip(axis) if turned else sums).to(x.dtype)


@rule("topk")
def topk(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """The largest or smallest values in order, the first of equal ones first, and their places."""
    x, axis, k = inputs["x"], inputs.integer("axis", -1), inputs.integer("k", 1)
    found = torch.sort(x, dim=axis, descending=not inputs.flag("ascending", False), stable=True)
    return found.values.narrow(axis, 0, k), found.indices.narrow(axis, 0, k).int()
