"""Batch, instance, layer and L2 normalization, and reductions."""

from collections.abc import Callable

import torch
from torch import Tensor

from pocketlens.runtimes.mil.rules.registry import RULES, Inputs, rule


def _affine(y: Tensor, inputs: Inputs, shape: list[int]) -> Tensor:
    gamma, beta = inputs.maybe("gamma"), inputs.maybe("beta")
    if gamma is not None:
        y = y * gamma.reshape(shape)
    return y if beta is None else y + beta.reshape(shape)


def _normalized(x: Tensor, axes: list[int], epsilon: float) -> Tensor:
    """Summed in fp64, so that the size of the picture does not matter."""
    wide = x.double()
    mean = wide.mean(axes, keepdim=True)
    variance = (wide - mean).square().mean(axes, keepdim=True)
    return ((wide - mean) / torch.sqrt(variance + epsilon)).float()


@rule("instance_norm")
def instance_norm(inputs: Inputs) -> Tensor:
    """Over everything behind the channels, with the biased variance."""
    x = inputs["x"]
    y = _normalized(x, list(range(2, x.ndim)), inputs.number("epsilon", 1e-5))
    return _affine(y, inputs, [1, -1] + [1] * (x.ndim - 2))


@rule("layer_norm")
def layer_norm(inputs: Inputs) -> Tensor:
    """Over ``axes``; the scale and shift have the shape of these axes."""
    x = inputs["x"]
    axes = [axis % x.ndim for axis in inputs.ints("axes", list(range(x.ndim)))]
    y = _normalized(x, axes, inputs.number("epsilon", 1e-5))
    return _affine(y, inputs, [x.shape[axis] if axis in axes else 1 for axis in range(x.ndim)])


@rule("batch_norm")
def batch_norm(inputs: Inputs) -> Tensor:
    """With the stored mean and variance."""
    x = inputs["x"]
    shape = [1, -1] + [1] * (x.ndim - 2)
    mean, variance = (inputs[name].reshape(shape) for name in ("mean", "variance"))
    return _affine((x - mean) / torch.sqrt(variance + inputs.number("epsilon", 1e-5)), inputs, shape)


@rule("l2_norm")
def l2_norm(inputs: Inputs) -> Tensor:
    """``x / sqrt(sum(x²) + epsilon)`` over the last three axes."""
    x = inputs["x"]
    return x / torch.sqrt(x.square().sum((-3, -2, -1), keepdim=True) + inputs.number("epsilon", 1e-6))


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


_REDUCTIONS: dict[str, Callable[[Tensor, list[int], bool], Tensor]] = {
    "reduce_l1_norm": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep),
    "reduce_l2_norm": lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt(),
    "reduce_log_sum_exp": lambda x, axes, keep: torch.logsumexp(x, axes, keepdim=keep),
    "reduce_max": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "reduce_mean": lambda x, axes, keep: x.double().mean(axes, keepdim=keep),
    "reduce_min": lambda x, axes, keep: x.amin(axes, keepdim=keep),
    "reduce_prod": _product,
    "reduce_sum": lambda x, axes, keep: x.double().sum(axes, keepdim=keep),
    "reduce_sum_square": lambda x, axes, keep: x.double().square().sum(axes, keepdim=keep),
}


def _reduction(function: Callable[[Tensor, list[int], bool], Tensor]) -> Callable[[Inputs], Tensor]:
    def reduced(inputs: Inputs) -> Tensor:
        x = inputs["x"]
        return function(x, inputs.ints("axes", list(range(x.ndim))), inputs.flag("keep_dims", False))

    return reduced


RULES.update({kind: _reduction(function) for kind, function in _REDUCTIONS.items()})
