"""The feed-forward style network of pytorch/examples (``fast_neural_style``), under its authors' names."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

# The name of the convolution and of its norm; channels in and out; kernel; stride; how often pixels are repeated
# before.
_DOWN = (("conv1", "in1", 3, 32, 9, 1, 1), ("conv2", "in2", 32, 64, 3, 2, 1), ("conv3", "in3", 64, 128, 3, 2, 1))
_UP = (("deconv1", "in4", 128, 64, 3, 1, 2), ("deconv2", "in5", 64, 32, 3, 1, 2))


class _MirrorConv(nn.Module):
    """A convolution over a picture whose edge is mirrored outwards, perhaps enlarged by repeating pixels first."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, scale: int = 1) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(channels_in, channels_out, kernel, stride)
        self.padding = [kernel // 2] * 4
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.scale != 1:
            x = F.interpolate(x, scale_factor=self.scale, mode="nearest")
        y: torch.Tensor = self.conv2d(F.pad(x, self.padding, mode="reflect"))
        return y


class _MirrorResidual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        for i in (1, 2):
            self.add_module(f"conv{i}", _MirrorConv(channels, channels, 3))
            self.add_module(f"in{i}", nn.InstanceNorm2d(channels, affine=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = x + self.in2(self.conv2(F.relu(self.in1(self.conv1(x)))))
        return y


class TransformerNet(nn.Module):
    """Stylizes ``float32 [N, 3, H, W]`` RGB 0..255 into the same; H and W are multiples of 4 and at least 8.

    At other sizes the authors' code gives a picture that is larger, up to the next multiple of 4. Values leave without
    a bound; the graph clamps them.

    Args:
        blocks: Number of residual blocks.

    Example:
        >>> with torch.no_grad():
        ...     tuple(TransformerNet().eval()(torch.zeros(1, 3, 32, 48)).shape)
        (1, 3, 32, 48)
    """

    input_range = (0.0, 255.0)
    output_range = (0.0, 255.0)
    multiple = 4

    def __init__(self, blocks: int = 5) -> None:
        super().__init__()
        self._blocks = [f"res{i}" for i in range(1, blocks + 1)]
        for conv, norm, channels_in, channels_out, kernel, stride, scale in (*_DOWN, *_UP):
            self.add_module(conv, _MirrorConv(channels_in, channels_out, kernel, stride, scale))
            self.add_module(norm, nn.InstanceNorm2d(channels_out, affine=True))
        for block in self._blocks:
            self.add_module(block, _MirrorResidual(128))
        self.deconv3 = _MirrorConv(32, 3, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv, norm, *_ in _DOWN:
            x = F.relu(getattr(self, norm)(getattr(self, conv)(x)))
        for block in self._blocks:
            x = getattr(self, block)(x)
        for conv, norm, *_ in _UP:
            x = F.relu(getattr(self, norm)(getattr(self, conv)(x)))
        y: torch.Tensor = self.deconv3(x)
        return y

    @staticmethod
    def arguments_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
        """The arguments that a checkpoint's names and shapes show."""
        return {"blocks": len({name.partition(".")[0] for name in shapes if name.startswith("res")})}
