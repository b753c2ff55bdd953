"""Magenta's small network that paints in any style, with the styles' own numbers as a table.

From Ghiasi, Lee, Kudlur, Dumoulin and Shlens, "Exploring the structure of a real-time, arbitrary neural artistic
stylization network" (2017), in the small form that Magenta released for phones. There a style's hundred numbers become
a scale and a shift for each channel behind a convolution. Here these stand in a table, a row a style, so that the
network that turns a hundred numbers into them is not needed any more.
"""

import torch
from torch import nn
from torch.nn import functional as F

_LUMA = (0.299, 0.587, 0.114)
_WIDTHS = (*[32] * 10, 16, 8, 3)
"""Channels of the layers that a style scales and shifts: two in each of five residual blocks, and three that lead back
up.
"""
ROW = 2 * sum(_WIDTHS) + 2
"""Numbers of a style: scales, shifts, and how much there is of the painting's colours and of the photograph's."""


class Painter(nn.Module):
    """Paints ``float32 [N, 3, H, W]`` RGB 0..255 into the same; H and W are multiples of 4.

    Args:
        styles: How many styles share the weights, 0 for one. ``style``, ``[N, styles]``, is how much of each; they are
            blended.

    Example:
        >>> with torch.no_grad():
        ...     tuple(Painter().eval()(torch.zeros(1, 3, 32, 48)).shape)
        (1, 3, 32, 48)
    """

    input_range = (0.0, 255.0)
    output_range = (0.0, 255.0)
    multiple = 4

    def __init__(self, styles: int = 0) -> None:
        super().__init__()
        self.contract = nn.ModuleList([_conv(3, 8, 9), _conv(8, 16, 3, 2), _conv(16, 32, 3, 2)])
        self.residual = nn.ModuleList([_conv(32, 32, 3) for _ in range(10)])
        self.expand = nn.ModuleList([_conv(32, 16, 3), _conv(16, 8, 3), _conv(8, 3, 9)])
        self.norms = nn.ModuleList([nn.InstanceNorm2d(width) for width in _WIDTHS])
        plain = torch.cat([torch.ones(sum(_WIDTHS)), torch.zeros(sum(_WIDTHS)), torch.tensor([1.0, 0.0])])
        self.table = nn.Parameter(plain.repeat(max(1, styles), 1))

    def forward(self, x: torch.Tensor, style: torch.Tensor | None = None) -> torch.Tensor:
        row = self.table[:1] if style is None else style @ self.table
        numbers = row[..., None, None].split([*_WIDTHS, *_WIDTHS, 1, 1], dim=1)
        scales, shifts, (painted, own) = numbers[:13], numbers[13:26], numbers[26:]

        def styled(y: torch.Tensor, layer: int) -> torch.Tensor:
            normal: torch.Tensor = self.norms[layer](y)
            return normal * scales[layer] + shifts[layer]

        photograph = x / 255
        y = photograph
        for conv in self.contract:
            y = F.relu(conv(y))
        for block in range(0, 10, 2):
            inner = F.relu(styled(self.residual[block](y), block))
            y = y + styled(self.residual[block + 1](inner), block + 1)
        for layer, conv in enumerate(self.expand[:2], 10):
            y = F.relu(styled(conv(F.interpolate(y, scale_factor=2.0, mode="nearest")), layer))
        y = styled(self.expand[2](y), 12)
        picture = torch.sigmoid(y)
        lightness = _lightness(picture)
        colours = painted * (picture - lightness) + own * (photograph - _lightness(photograph))
        return 255 * (lightness + colours)


def _lightness(picture: torch.Tensor) -> torch.Tensor:
    red, green, blue = picture.split(1, dim=1)
    return _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue


def _conv(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, padding_mode="reflect")
