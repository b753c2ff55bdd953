"""AnimeGANv2's generator as bryandlee/animegan2-pytorch ports it, under the port's names."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

_AFTER = (0, 1, 0, 1)
"""The padding of the two convolutions that halve the picture: one column right and one row below."""
_FIRST_BLOCK = ("block_c.0.1.weight", "block_c.1.layers.2.weight")
"""What gives the first inverted block its channels, and what gives those that it leaves with."""


def _conv(
    channels_in: int,
    channels_out: int,
    kernel: int = 3,
    *,
    halve: bool = False,
    depthwise: bool = False,
) -> nn.Sequential:
    """Mirror padding, a convolution, a norm over all channels together, and a leaky ReLU."""
    groups = channels_in if depthwise else 1
    conv = nn.Conv2d(channels_in, channels_out, kernel, 2 if halve else 1, groups=groups, bias=depthwise)
    pad = nn.ReflectionPad2d(_AFTER if halve else kernel // 2)
    return nn.Sequential(pad, conv, nn.GroupNorm(1, channels_out), nn.LeakyReLU(0.2))


class _Inverted(nn.Module):
    """Widen, convolve each channel alone, narrow; where ``adds``, added to what came in if the channels agree."""

    def __init__(self, channels_in: int, channels_out: int, *, adds: bool = True) -> None:
        super().__init__()
        wide = 2 * channels_in
        self.layers = nn.Sequential(
            _conv(channels_in, wide, 1),
            _conv(wide, wide, depthwise=True),
            nn.Conv2d(wide, channels_out, 1, bias=False),
            nn.GroupNorm(1, channels_out),
        )
        self.adds = adds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layers(x)
        return x + y if self.adds and x.shape[1] == y.shape[1] else y


class AnimeGan2(nn.Module):
    """Draws ``float32 [N, 3, H, W]`` RGB -1..1 as the same; any H and W from 8.

    The two enlargements are bilinear with aligned corners, up to the size of the features before each halving: the
    default of the port, and why every size comes back as it went in.

    Args:
        blocks: Number of inverted residual blocks.
        first_adds: 1 where the first of them adds what came in, as it does where its channels agree. Said here because
            those of a pruned copy can come to agree.

    Example:
        >>> with torch.no_grad():
        ...     tuple(AnimeGan2().eval()(torch.zeros(1, 3, 33, 47)).shape)
        (1, 3, 33, 47)
    """

    input_range = (-1.0, 1.0)
    output_range = (-1.0, 1.0)
    multiple = 1

    def __init__(self, blocks: int = 4, first_adds: int = 0) -> None:
        super().__init__()
        self.block_a = nn.Sequential(_conv(3, 32, 7), _conv(32, 64, halve=True), _conv(64, 64))
        self.block_b = nn.Sequential(_conv(64, 128, halve=True), _conv(128, 128))
        inverted = [
            _Inverted(128 if i == 0 else 256, 256, adds=bool(first_adds) if i == 0 else True) for i in range(blocks)
        ]
        self.block_c = nn.Sequential(_conv(128, 128), *inverted, _conv(256, 128))
        self.block_d = nn.Sequential(_conv(128, 128), _conv(128, 128))
        self.block_e = nn.Sequential(_conv(128, 64), _conv(64, 64), _conv(64, 32, 7))
        self.out_layer = nn.Sequential(nn.Conv2d(32, 3, 1, bias=False), nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        half = self.block_a(x)
        features = _enlarge(self.block_c(self.block_b(half)), half)
        features = _enlarge(self.block_d(features), x)
        y: torch.Tensor = self.out_layer(self.block_e(features))
        return y

    @staticmethod
    def arguments_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
        """The arguments that a checkpoint's names and shapes show."""
        blocks = {name.split(".")[1] for name in shapes if name.startswith("block_c.") and ".layers." in name}
        channels = [shapes.get(name, (-index,))[0] for index, name in enumerate(_FIRST_BLOCK)]
        return {"blocks": len(blocks), "first_adds": int(channels[0] == channels[1])}


def _enlarge(features: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return F.interpolate(features, like.shape[-2:], mode="bilinear", align_corners=True)
