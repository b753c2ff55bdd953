"""Generators of the kinds that people bring, with few channels."""

import torch
from torch import nn
from torch.nn import functional as F

from pocketlens.converters.ranges import Ranges
from tests.generators import SIGNED


class AnimeLike(nn.Module):
    """As AnimeGANv2: reflection, group norm over all channels, bilinear up, inverted residuals."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(3, 8, 7, bias=False), nn.GroupNorm(1, 8))
        self.down = nn.Sequential(nn.ReflectionPad2d((0, 1, 0, 1)), nn.Conv2d(8, 16, 3, 2), nn.GroupNorm(1, 16))
        self.wide = nn.Conv2d(16, 32, 1)
        self.deep = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(32, 32, 3, groups=32), nn.GroupNorm(4, 32))
        self.narrow = nn.Conv2d(32, 16, 1)
        self.last = nn.Conv2d(16, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.down(F.leaky_relu(self.first(x), 0.2)), 0.2)
        x = x + self.narrow(F.leaky_relu(self.deep(F.leaky_relu(self.wide(x), 0.2)), 0.2))
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return torch.tanh(self.last(x))


class UNetLike(nn.Module):
    """As pix2pix: strided 4 x 4 convolutions, batch norm, skips by concatenation, transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(3, 8, 4, 2, 1), nn.Conv2d(8, 16, 4, 2, 1, bias=False)])
        self.norm = nn.ModuleList([nn.BatchNorm2d(16), nn.BatchNorm2d(8)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.ConvTranspose2d(16, 3, 4, 2, 1)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        half = self.down[0](x)
        quarter = self.norm[0](self.down[1](F.leaky_relu(half, 0.2)))
        back = self.norm[1](self.up[0](F.relu(quarter)))
        return torch.tanh(self.up[1](F.relu(torch.cat([back, half], 1))))


class MobileLike(nn.Module):
    """As a phone's student: depthwise convolutions, hard swish, squeeze and excite, pixel shuffles."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 16, 1), nn.BatchNorm2d(16), nn.Hardswish())
        self.deep = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 4, 1), nn.PReLU(4), nn.Conv2d(4, 16, 1), nn.Hardsigmoid()
        )
        self.last = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(16, 48, 3, 2, 1), nn.PixelShuffle(4))
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.stem(x)
        y = y + self.deep(y) * self.gate(y)
        return torch.sigmoid(8 * self.pool(self.last(y)))


GENERATORS: dict[str, tuple[type[nn.Module], Ranges]] = {
    "anime": (AnimeLike, SIGNED),
    "u-net": (UNetLike, SIGNED),
    "mobile": (MobileLike, Ranges((0.0, 1.0), (0.0, 1.0))),
}
