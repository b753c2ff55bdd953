"""Generators as their authors' code makes them, of any width and depth: what checkpoints of other sizes are compared
with.
"""

import torch
from torch import nn
from torch.nn import functional as F


def cyclegan(width: int, blocks: int) -> nn.Module:
    """``ResnetGenerator`` of pytorch-CycleGAN-and-pix2pix with instance norms."""

    class Block(nn.Module):
        def __init__(self, c: int) -> None:
            super().__init__()
            half = [nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), nn.InstanceNorm2d(c)]
            other = [nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), nn.InstanceNorm2d(c)]
            self.conv_block = nn.Sequential(*half, nn.ReLU(True), *other)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.conv_block(x)

    layers = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU(True)]
    for c in (width, 2 * width):
        layers += [nn.Conv2d(c, 2 * c, 3, 2, 1), nn.InstanceNorm2d(2 * c), nn.ReLU(True)]
    layers += [Block(4 * width) for _ in range(blocks)]
    for c in (4 * width, 2 * width):
        layers += [nn.ConvTranspose2d(c, c // 2, 3, 2, 1, 1), nn.InstanceNorm2d(c // 2), nn.ReLU(True)]
    module = nn.Module()
    module.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())
    module.forward = module.model.forward
    return module


class _Skip(nn.Module):
    """``UnetSkipConnectionBlock``."""

    def __init__(self, outer: int, inner: int, within: nn.Module | None = None, *, outermost: bool = False) -> None:
        super().__init__()
        self.outermost = outermost
        down = nn.Conv2d(outer, inner, 4, 2, 1, bias=False)
        if outermost:
            up = nn.ConvTranspose2d(2 * inner, 3, 4, 2, 1)
            layers = [down, within, nn.ReLU(True), up, nn.Tanh()]
        elif within is None:
            up = nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=False)
            layers = [nn.LeakyReLU(0.2), down, nn.ReLU(True), up, nn.BatchNorm2d(outer)]
        else:
            up = nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1, bias=False)
            layers = [nn.LeakyReLU(0.2), down, nn.BatchNorm2d(inner), within, nn.ReLU(), up, nn.BatchNorm2d(outer)]
        self.model = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.model(x)
        return y if self.outermost else torch.cat([x, y], 1)


def unet(width: int, levels: int) -> nn.Module:
    """``UnetGenerator`` of the same repository with batch norms."""
    block = _Skip(8 * width, 8 * width)
    for _ in range(levels - 5):
        block = _Skip(8 * width, 8 * width, block)
    for c in (4 * width, 2 * width, width):
        block = _Skip(c, 2 * c, block)
    module = nn.Module()
    module.model = _Skip(3, width, block, outermost=True)
    module.forward = module.model.forward
    return module


class TransformerNet(nn.Module):
    """``transformer_net.py`` of pytorch/examples, with other widths and another number of blocks."""

    class Conv(nn.Module):
        def __init__(self, i: int, o: int, k: int, s: int, upsample: int = 0) -> None:
            super().__init__()
            self.reflection_pad, self.upsample = nn.ReflectionPad2d(k // 2), upsample
            self.conv2d = nn.Conv2d(i, o, k, s)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = F.interpolate(x, mode="nearest", scale_factor=self.upsample) if self.upsample else x
            return self.conv2d(self.reflection_pad(x))

    class Residual(nn.Module):
        def __init__(self, c: int) -> None:
            super().__init__()
            self.conv1, self.in1 = TransformerNet.Conv(c, c, 3, 1), nn.InstanceNorm2d(c, affine=True)
            self.conv2, self.in2 = TransformerNet.Conv(c, c, 3, 1), nn.InstanceNorm2d(c, affine=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.in2(self.conv2(F.relu(self.in1(self.conv1(x))))) + x

    def __init__(self, a: int, b: int, c: int, blocks: int) -> None:
        super().__init__()
        self.conv1, self.in1 = self.Conv(3, a, 9, 1), nn.InstanceNorm2d(a, affine=True)
        self.conv2, self.in2 = self.Conv(a, b, 3, 2), nn.InstanceNorm2d(b, affine=True)
        self.conv3, self.in3 = self.Conv(b, c, 3, 2), nn.InstanceNorm2d(c, affine=True)
        self.blocks = blocks
        for i in range(1, blocks + 1):
            setattr(self, f"res{i}", self.Residual(c))
        self.deconv1, self.in4 = self.Conv(c, b, 3, 1, upsample=2), nn.InstanceNorm2d(b, affine=True)
        self.deconv2, self.in5 = self.Conv(b, a, 3, 1, upsample=2), nn.InstanceNorm2d(a, affine=True)
        self.deconv3 = self.Conv(a, 3, 9, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.in1(self.conv1(x)))
        y = F.relu(self.in2(self.conv2(y)))
        y = F.relu(self.in3(self.conv3(y)))
        for i in range(1, self.blocks + 1):
            y = getattr(self, f"res{i}")(y)
        y = F.relu(self.in4(self.deconv1(y)))
        y = F.relu(self.in5(self.deconv2(y)))
        return self.deconv3(y)


class AnimeGan(nn.Module):
    """``model.py`` of animegan2-pytorch, with other widths: of the picture's full size, half, quarter, and within."""

    class ConvNormLReLU(nn.Sequential):
        def __init__(self, i: int, o: int, k: int = 3, s: int = 1, p: object = 1, g: int = 1, b: bool = False) -> None:
            pad, conv = nn.ReflectionPad2d(p), nn.Conv2d(i, o, k, s, 0, groups=g, bias=b)  # type: ignore[arg-type]
            super().__init__(pad, conv, nn.GroupNorm(1, o, affine=True), nn.LeakyReLU(0.2, inplace=True))

    class InvertedResBlock(nn.Module):
        def __init__(self, i: int, o: int) -> None:
            super().__init__()
            conv, wide = AnimeGan.ConvNormLReLU, 2 * i
            self.use_res_connect = i == o
            layers = [conv(i, wide, 1, p=0), conv(wide, wide, g=wide, b=True), nn.Conv2d(wide, o, 1, bias=False)]
            self.layers = nn.Sequential(*layers, nn.GroupNorm(1, o, affine=True))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.layers(x) if self.use_res_connect else self.layers(x)

    def __init__(self, a: int, b: int, c: int, inner: int, blocks: int) -> None:
        super().__init__()
        conv, inverted = self.ConvNormLReLU, self.InvertedResBlock
        self.block_a = nn.Sequential(conv(3, a, 7, p=3), conv(a, b, s=2, p=(0, 1, 0, 1)), conv(b, b))
        self.block_b = nn.Sequential(conv(b, c, s=2, p=(0, 1, 0, 1)), conv(c, c))
        inside = [inverted(c if i == 0 else inner, inner) for i in range(blocks)]
        self.block_c = nn.Sequential(conv(c, c), *inside, conv(inner, c))
        self.block_d = nn.Sequential(conv(c, c), conv(c, c))
        self.block_e = nn.Sequential(conv(c, b), conv(b, b), conv(b, a, 7, p=3))
        self.out_layer = nn.Sequential(nn.Conv2d(a, 3, 1, 1, 0, bias=False), nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.block_a(x)
        half = out.shape[-2:]
        out = self.block_c(self.block_b(out))
        out = self.block_d(F.interpolate(out, half, mode="bilinear", align_corners=True))
        out = self.block_e(F.interpolate(out, x.shape[-2:], mode="bilinear", align_corners=True))
        return self.out_layer(out)
