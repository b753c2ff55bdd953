"""Pools over a moving window."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from pocketlens.runtimes.mil.rules.registry import Inputs, rule
from pocketlens.runtimes.mil.rules.windows import padding

_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_MAXIMUM = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def _window(inputs: Inputs) -> tuple[list[int], list[int], list[int]]:
    """Kernel, strides, and pads in the order of ``F.pad``."""
    x = inputs["x"]
    kernel = inputs.ints("kernel_sizes")
    strides = inputs.ints("strides", [1] * len(kernel))
    pads = padding(inputs, list(x.shape[2:]), kernel, strides, [1] * len(kernel))
    return kernel, strides, [p for pair in reversed(pads) for p in pair]


def _pads_of_ceil(flat: list[int]) -> list[int]:
    """Even pads, first axis first: ``ceil_mode`` is defined for these alone."""
    if flat[::2] != flat[1::2]:
        raise ValueError("ceil_mode with uneven pads")
    return flat[::2][::-1]


@rule("avg_pool")
def avg_pool(inputs: Inputs) -> Tensor:
    """The mean of each window, with or without the padding in the count."""
    x = inputs["x"]
    kernel, strides, flat = _window(inputs)
    exclude = inputs.flag("exclude_padding_from_average", False)
    pool = _AVERAGE[len(kernel)]
    if inputs.flag("ceil_mode", False):
        y: Tensor = pool(x, kernel, strides, _pads_of_ceil(flat), True, not exclude)
        return y
    sums: Tensor = pool(F.pad(x, flat), kernel, strides) * math.prod(kernel)
    if not exclude:
        return sums / math.prod(kernel)
    counts: Tensor = pool(F.pad(torch.ones_like(x), flat), kernel, strides) * math.prod(kernel)
    return sums / counts


@rule("max_pool")
def max_pool(inputs: Inputs) -> Tensor:
    """The largest value of each window; padding never is."""
    kernel, strides, flat = _window(inputs)
    pool = _MAXIMUM[len(kernel)]
    if inputs.flag("ceil_mode", False):
        y: Tensor = pool(inputs["x"], kernel, strides, _pads_of_ceil(flat), 1, True)
        return y
    y = pool(F.pad(inputs["x"], flat, value=-math.inf), kernel, strides)
    return y
