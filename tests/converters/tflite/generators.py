"""Generators of the kinds that people bring, with few channels."""

import torch
from torch import nn
from torch.nn import functional as F


class Anime(nn.Module):
    """Like AnimeGANv2: mirrored borders, group norms of one group, leaky ReLUs, depthwise convolutions, aligned
    corners.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = self._block(3, 16, 7)
        self.down = self._block(16, 32, 3, 2)
        self.wide = self._block(32, 64, 1)
        self.depth = self._block(64, 64, 3, groups=64)
        self.narrow = nn.Sequential(nn.Conv2d(64, 32, 1, bias=False), nn.GroupNorm(1, 32))
        self.up = self._block(32, 16, 3)
        self.last = nn.Conv2d(16, 3, 1)

    @staticmethod
    def _block(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
        return nn.Sequential(
            nn.ReflectionPad2d((size - 1) // 2),
            nn.Conv2d(inputs, outputs, size, stride, groups=groups, bias=False),
            nn.GroupNorm(1, outputs),
            nn.LeakyReLU(0.2),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.down(self.first(x))
        x = x + self.narrow(self.depth(self.wide(x)))
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return torch.tanh(self.last(self.up(x)))


class UNet(nn.Module):
    """Like pix2pix: 4 x 4 convolutions of stride 2 down and up, skips by concatenation, batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(i, o, 4, 2, 1) for i, o in ((3, 16), (16, 32), (32, 32))])
        self.up = nn.ModuleList([nn.ConvTranspose2d(i, o, 4, 2, 1) for i, o in ((32, 32), (64, 16), (32, 3))])
        self.norms = nn.ModuleList([nn.BatchNorm2d(32), nn.BatchNorm2d(16)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for down in self.down:
            x = down(F.leaky_relu(x, 0.2) if skips else x)
            skips.append(x)
        x = self.norms[0](self.up[0](F.relu(x)))
        x = self.norms[1](self.up[1](F.relu(torch.cat([x, skips[1]], 1))))
        return torch.tanh(self.up[2](F.relu(torch.cat([x, skips[0]], 1))))


class Student(nn.Module):
    """Made for phones: depthwise convolutions, hard swish, a gate, nearest enlargement, a pixel shuffle at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, 2, 1)
        self.depth = nn.Conv2d(16, 32, 3, 2, 1, groups=16)
        self.norm = nn.BatchNorm2d(32)
        self.gate = nn.Linear(32, 32)
        self.point = nn.Conv2d(32, 16, 1)
        self.last = nn.Conv2d(16, 12, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu6(self.first(x))
        x = F.hardswish(self.norm(self.depth(x)))
        x = x * F.hardsigmoid(self.gate(x.mean((2, 3))))[:, :, None, None]
        x = F.interpolate(self.point(x), scale_factor=2, mode="nearest")
        return torch.tanh(F.pixel_shuffle(self.last(x), 2))
