"""The residual generator of CycleGAN (``resnet_9blocks`` and ``resnet_6blocks``), under its authors' names.

Those names are positions in one long sequence, so every padding, norm and activation is a module here too.
"""

from collections.abc import Mapping

import torch
from torch import nn

_WIDTH = 64


def _normed(conv: nn.Module, channels: int) -> list[nn.Module]:
    return [conv, nn.InstanceNorm2d(channels), nn.ReLU()]


class _ReflectResidual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        half = [nn.ReflectionPad2d(1), *_normed(nn.Conv2d(channels, channels, 3), channels)]
        other = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
        self.conv_block = nn.Sequential(*half, *other)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = x + self.conv_block(x)
        return y


class CycleGanResnet(nn.Module):
    """Translates ``float32 [N, 3, H, W]`` RGB -1..1 into the same; H and W are multiples of 4 and at least 8.

    At other sizes the authors' code gives a picture that is larger, up to the next multiple of 4. Instance norms have
    neither weights nor running statistics, and there is no dropout: what CycleGAN trains by default.

    Args:
        blocks: Number of residual blocks: 9 for pictures of 256 and more, 6 for those of 128.

    Example:
        >>> with torch.no_grad():
        ...     tuple(CycleGanResnet(6).eval()(torch.zeros(1, 3, 32, 48)).shape)
        (1, 3, 32, 48)
    """

    input_range = (-1.0, 1.0)
    output_range = (-1.0, 1.0)
    multiple = 4

    def __init__(self, blocks: int = 9) -> None:
        super().__init__()
        layers = [nn.ReflectionPad2d(3), *_normed(nn.Conv2d(3, _WIDTH, 7), _WIDTH)]
        for channels in (_WIDTH, 2 * _WIDTH):
            layers += _normed(nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), 2 * channels)
        layers += [_ReflectResidual(4 * _WIDTH) for _ in range(blocks)]
        for channels in (4 * _WIDTH, 2 * _WIDTH):
            enlarge = nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1, output_padding=1)
            layers += _normed(enlarge, channels // 2)
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(_WIDTH, 3, 7), nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.model(x)
        return y

    @staticmethod
    def arguments_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
        """The arguments that a checkpoint's names and shapes show."""
        return {"blocks": len({name.split(".")[1] for name in shapes if ".conv_block." in name})}
