"""Quantization-aware training: a student feels what int8 rounding does to it, and learns around it.

Its convolutions round what they take and their weights, on the grid that :mod:`pocketlens.converters.quantization.insert`
writes into the graph: unsigned bytes over one range a value, signed bytes for weights, a scale for each channel that they
give. Gradients pass through the rounding as if it were not there (Bengio, Léonard and Courville 2013); the ranges are trained
with the weights (Esser et al., "Learned Step Size Quantization", 2020). Batch norms stand still: their statistics are folded
into weights that are rounded, and a scale of a whole channel changes nothing about that channel's rounding.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pocketlens.converters.quantization.calibrate import BINS, Statistics
from pocketlens.converters.quantization.insert import MOST_LEVELS, weight_scales

Span = tuple[float, float]
"""The least and the largest number of a value; 0 lies within."""
_LEVELS = MOST_LEVELS[8]


class Rounded(nn.Module):
    """Rounds a value to the bytes of a range, which is trained.

    Args:
        span: The range at the start.
        fixed: The range stays, and nothing is rounded: a picture comes in bytes.

    Example:
        >>> [round(float(x), 6) for x in Rounded((0.0, 255.0))(torch.tensor([-3.0, 7.4, 300.0]))]
        [0.0, 7.0, 255.0]
    """

    def __init__(self, span: Span, *, fixed: bool = False) -> None:
        super().__init__()
        self.register_buffer("start", torch.tensor(span, dtype=torch.float32))
        # In powers of e, so that a range keeps its sign and a step means the same for all of them.
        self.stretch = nn.Parameter(torch.zeros(2), requires_grad=not fixed)
        self.fixed = fixed

    def ends(self) -> torch.Tensor:
        """The range as it is now, ``float32 [2]``."""
        start: torch.Tensor = self.get_buffer("start")
        return start * self.stretch.exp()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fixed:
            return x
        low, high = self.ends()
        scale = (high - low) / _LEVELS
        zero = (-low / scale).detach().round().clamp(0, _LEVELS)
        steps = x / scale + zero
        clipped = steps.clamp(0, _LEVELS)
        whole = clipped + (clipped.round() - clipped).detach()
        return (whole - zero) * scale


class AwareConv2d(nn.Conv2d):
    """A convolution that rounds what it takes and its weights."""

    rounded: Rounded

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.rounded(x), _rounded_weight(self.weight, 0), self.bias)


class AwareConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution that rounds what it takes and its weights."""

    rounded: Rounded

    def forward(self, x: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        assert output_size is None
        assert isinstance(self.padding, tuple)
        weight = _rounded_weight(self.weight, 1)
        return F.conv_transpose2d(
            self.rounded(x), weight, self.bias, self.stride, self.padding, self.output_padding, self.groups,
            self.dilation,
        )  # fmt: skip


class _StillNorm(nn.BatchNorm2d):
    """A batch norm whose statistics stay."""

    def train(self, mode: bool = True) -> "_StillNorm":
        super().train(False)
        return self


_AWARE: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: AwareConv2d,
    nn.ConvTranspose2d: AwareConvTranspose2d,
}
_PLAIN = {aware: plain for plain, aware in _AWARE.items()}


def aware(module: nn.Module, spans: Mapping[str, Span]) -> nn.Module:
    """A copy of a generator whose convolutions round, in given ranges.

    Args:
        module: The generator.
        spans: Convolution, by its name → the range of what it takes. Those that are not named do not round.

    Example:
        >>> made = aware(nn.Sequential(nn.Conv2d(3, 4, 1)), {"0": (0.0, 255.0)})
        >>> ranges(made)
        {'0': (0.0, 255.0)}
        >>> sorted(plain(made).state_dict())
        ['0.bias', '0.weight']
    """
    made = copy.deepcopy(module)
    for name, layer in made.named_modules():
        if name in spans and type(layer) in _AWARE:
            layer.rounded = Rounded(spans[name])
            layer.__class__ = _AWARE[type(layer)]
        elif type(layer) is nn.BatchNorm2d:
            layer.__class__ = _StillNorm
    return made


def plain(module: nn.Module) -> nn.Module:
    """A copy of a generator that rounds nothing, with the weights of one that does."""
    made = copy.deepcopy(module)
    for layer in made.modules():
        if isinstance(layer, AwareConv2d | AwareConvTranspose2d):
            del layer.rounded
            layer.__class__ = _PLAIN[type(layer)]
        elif isinstance(layer, _StillNorm):
            layer.__class__ = nn.BatchNorm2d
    return made.eval()


def ranges(module: nn.Module) -> dict[str, Span]:
    """Convolution → the range of what it takes, as it was trained."""
    return {
        name: (float(low), float(high))
        for name, layer in module.named_modules()
        if isinstance(layer, AwareConv2d | AwareConvTranspose2d)
        for low, high in (layer.rounded.ends().tolist(),)
    }


def fix(module: nn.Module, name: str) -> None:
    """Keep the range of the picture, which one convolution takes, where it is."""
    layer = module.get_submodule(name)
    assert isinstance(layer, AwareConv2d | AwareConvTranspose2d)
    low, high = layer.rounded.ends().tolist()
    layer.rounded = Rounded((low, high), fixed=True).to(layer.weight.device)


def observed(module: nn.Module, pictures: Sequence[torch.Tensor]) -> dict[str, Span]:
    """Convolution → the range of least squared error of what it takes on pictures, in the order in which they run.

    Args:
        module: In eval mode.
        pictures: ``float32 [1, 3, H, W]``, in the module's own range.
    """
    extremes: dict[str, Span] = {}
    counts: dict[str, np.ndarray] = {}
    for picture in pictures:
        for name, x in _taken(module, picture):
            low, high = extremes.get(name, (0.0, 0.0))
            extremes[name] = (min(low, float(x.min())), max(high, float(x.max())))
    for picture in pictures:
        for name, x in _taken(module, picture):
            found = torch.histc(x.float().cpu(), BINS, *extremes[name]).double().numpy()
            counts[name] = counts[name] + found if name in counts else found
    empty = np.zeros(1)
    spans = {}
    for name, (low, high) in extremes.items():
        seen = Statistics(np.array([low]), np.array([high]), empty, empty, counts[name])
        least, most = seen.range("mse")
        spans[name] = (least, most) if most > least else (0.0, 1.0)
    return spans


def _taken(module: nn.Module, picture: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    with _listening(module) as heard, torch.no_grad():
        module(picture)
    yield from heard


@contextmanager
def _listening(module: nn.Module) -> Iterator[list[tuple[str, torch.Tensor]]]:
    heard: list[tuple[str, torch.Tensor]] = []

    def keep(name: str) -> object:
        return lambda _, taken: heard.append((name, taken[0]))

    hooks = [
        layer.register_forward_pre_hook(keep(name)) for name, layer in module.named_modules() if type(layer) in _AWARE
    ]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def _rounded_weight(weight: torch.Tensor, axis: int) -> torch.Tensor:
    scales = weight_scales(weight.detach().float().cpu().numpy(), axis, pairs=True)
    shape = [1] * weight.ndim
    shape[axis] = -1
    scale = torch.from_numpy(scales).to(weight).reshape(shape)
    steps = (weight / scale).clamp(-127, 127)
    return (steps + (steps.round() - steps).detach()) * scale
