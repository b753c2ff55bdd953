"""Quantization-aware training (QAT): a student is trained with the rounding of int8, and learns around it.

Its convolutions round their input and their weights, on the grid that :mod:`pocketlens.converters.quantization.insert`
writes into the graph: unsigned bytes over one range a value, signed bytes for weights, a scale for each output
channel. Gradients pass through the rounding as if it were not there (Bengio, Léonard and Courville 2013); the ranges
are trained with the weights (Esser et al., "Learned Step Size Quantization", 2020). Batch norms stand still: their
statistics are folded into weights that are rounded, and a scale of a whole channel changes nothing about that channel's
rounding.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pocketlens.converters.quantization.calibrate import BINS, ActivationStatistics
from pocketlens.converters.quantization.qparams import MAX_LEVELS, choose_qparams_absmax
from pocketlens.converters.ranges import Range

_LEVELS = MAX_LEVELS[8]


class FakeQuantize(nn.Module):
    """Rounds a value to the bytes of a range, which is trained.

    Args:
        initial: The range at the start; 0 lies within.
        fixed: The range stays, and nothing is rounded: a picture comes in bytes.

    Example:
        >>> [round(float(x), 6) for x in FakeQuantize((0.0, 255.0))(torch.tensor([-3.0, 7.4, 300.0]))]
        [0.0, 7.0, 255.0]
    """

    # The names of both tensors stand in the states of trainings, as the name of the layers' attribute ``rounded`` does.
    def __init__(self, initial: Range, *, fixed: bool = False) -> None:
        super().__init__()
        self.register_buffer("start", torch.tensor(initial, dtype=torch.float32))
        # In powers of e, so that a range keeps its sign and a step means the same for all of them.
        self.stretch = nn.Parameter(torch.zeros(2), requires_grad=not fixed)
        self.fixed = fixed

    def current_range(self) -> torch.Tensor:
        """The range as it is now, ``float32 [2]``."""
        start: torch.Tensor = self.get_buffer("start")
        return start * self.stretch.exp()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fixed:
            return x
        low, high = self.current_range()
        scale = (high - low) / _LEVELS
        zero_point = (-low / scale).detach().round().clamp(0, _LEVELS)
        clipped = (x / scale + zero_point).clamp(0, _LEVELS)
        quantized = clipped + (clipped.round() - clipped).detach()
        return (quantized - zero_point) * scale


class QatConv2d(nn.Conv2d):
    """A convolution that rounds its input and its weights."""

    rounded: FakeQuantize

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.rounded(x), _fake_quantize_weight(self.weight, 0), self.bias)


class QatConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution that rounds its input and its weights."""

    rounded: FakeQuantize

    def forward(self, x: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        assert output_size is None
        assert isinstance(self.padding, tuple)
        weight = _fake_quantize_weight(self.weight, 1)
        return F.conv_transpose2d(
            self.rounded(x), weight, self.bias, self.stride, self.padding, self.output_padding, self.groups,
            self.dilation,
        )  # fmt: skip


class _FrozenBatchNorm2d(nn.BatchNorm2d):
    """A batch norm whose statistics stay."""

    def train(self, mode: bool = True) -> "_FrozenBatchNorm2d":
        super().train(False)
        return self


_QAT: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: QatConv2d,
    nn.ConvTranspose2d: QatConvTranspose2d,
}
_FLOAT = {qat: float_type for float_type, qat in _QAT.items()}


def prepare_qat(module: nn.Module, ranges: Mapping[str, Range]) -> nn.Module:
    """A copy of a generator whose convolutions round, in given ranges.

    Args:
        module: The generator.
        ranges: Convolution, by its name → the range of its input. Those that are not named do not round.

    Example:
        >>> prepared = prepare_qat(nn.Sequential(nn.Conv2d(3, 4, 1)), {"0": (0.0, 255.0)})
        >>> trained_ranges(prepared)
        {'0': (0.0, 255.0)}
        >>> sorted(remove_qat(prepared).state_dict())
        ['0.bias', '0.weight']
    """
    prepared = copy.deepcopy(module)
    for name, layer in prepared.named_modules():
        if name in ranges and type(layer) in _QAT:
            layer.rounded = FakeQuantize(ranges[name])
            layer.__class__ = _QAT[type(layer)]
        elif type(layer) is nn.BatchNorm2d:
            layer.__class__ = _FrozenBatchNorm2d
    return prepared


def remove_qat(module: nn.Module) -> nn.Module:
    """A copy of a generator that rounds nothing, with the weights of one that does."""
    restored = copy.deepcopy(module)
    for layer in restored.modules():
        if isinstance(layer, QatConv2d | QatConvTranspose2d):
            del layer.rounded
            layer.__class__ = _FLOAT[type(layer)]
        elif isinstance(layer, _FrozenBatchNorm2d):
            layer.__class__ = nn.BatchNorm2d
    return restored.eval()


def trained_ranges(module: nn.Module) -> dict[str, Range]:
    """Convolution → the range of its input, as it was trained."""
    return {
        name: (float(low), float(high))
        for name, layer in module.named_modules()
        if isinstance(layer, QatConv2d | QatConvTranspose2d)
        for low, high in (layer.rounded.current_range().tolist(),)
    }


def freeze_range(module: nn.Module, name: str) -> None:
    """Keep the input range of one convolution as it is, and leave that input unrounded: for the one that reads the
    picture.
    """
    layer = module.get_submodule(name)
    assert isinstance(layer, QatConv2d | QatConvTranspose2d)
    low, high = layer.rounded.current_range().tolist()
    layer.rounded = FakeQuantize((low, high), fixed=True).to(layer.weight.device)


def observe_ranges(module: nn.Module, pictures: Sequence[torch.Tensor]) -> dict[str, Range]:
    """Convolution → the range of least squared error of its input on pictures, in the order in which they run.

    Args:
        module: In eval mode.
        pictures: ``float32 [1, 3, H, W]``, in the module's own range.
    """
    extremes: dict[str, Range] = {}
    counts: dict[str, np.ndarray] = {}
    for picture in pictures:
        for name, x in _inputs(module, picture):
            low, high = extremes.get(name, (0.0, 0.0))
            extremes[name] = (min(low, float(x.min())), max(high, float(x.max())))
    for picture in pictures:
        for name, x in _inputs(module, picture):
            histogram = torch.histc(x.float().cpu(), BINS, *extremes[name]).double().numpy()
            counts[name] = counts[name] + histogram if name in counts else histogram
    empty = np.zeros(1)
    ranges = {}
    for name, (low, high) in extremes.items():
        statistics = ActivationStatistics(np.array([low]), np.array([high]), empty, empty, counts[name])
        least, most = statistics.range("mse")
        ranges[name] = (least, most) if most > least else (0.0, 1.0)
    return ranges


def _inputs(module: nn.Module, picture: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    with _capture_inputs(module) as captured, torch.no_grad():
        module(picture)
    yield from captured


@contextmanager
def _capture_inputs(module: nn.Module) -> Iterator[list[tuple[str, torch.Tensor]]]:
    captured: list[tuple[str, torch.Tensor]] = []

    def capture(name: str) -> object:
        return lambda _, inputs: captured.append((name, inputs[0]))

    hooks = [
        layer.register_forward_pre_hook(capture(name)) for name, layer in module.named_modules() if type(layer) in _QAT
    ]
    try:
        yield captured
    finally:
        for hook in hooks:
            hook.remove()


def _fake_quantize_weight(weight: torch.Tensor, axis: int) -> torch.Tensor:
    scales = choose_qparams_absmax(weight.detach().float().cpu().numpy(), axis, pair_sums=True)
    shape = [1] * weight.ndim
    shape[axis] = -1
    scale = torch.from_numpy(scales).to(weight).reshape(shape)
    steps = (weight / scale).clamp(-127, 127)
    return (steps + (steps.round() - steps).detach()) * scale
