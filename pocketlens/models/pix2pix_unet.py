"""The U-Net of pix2pix (``unet_256`` and ``unet_128``, with batch norm), under its authors' names.

Each level holds the next one inside it, which is where names like ``model.model.1.model.3.model`` come from.
"""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import nn

from pocketlens.errors import InputError

_WIDTH = 64
_WIDEST = 8 * _WIDTH


class _Level(nn.Module):
    """Halve, compute everything within, enlarge; what came in is kept beside what comes out.

    Args:
        outer: Channels that come in, and that the enlarging convolution gives.
        inner: Channels at half the size.
        within: The level inside, or None for the innermost.
        outermost: Whether this is the level that pictures enter and leave.
    """

    def __init__(self, outer: int, inner: int, within: "_Level | None", *, outermost: bool = False) -> None:
        super().__init__()
        halve = nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=False)
        # What a level gives is twice as wide as what enters it: the innermost has none within it, so nothing is
        # doubled.
        width = inner if within is None else 2 * inner
        enlarge = nn.ConvTranspose2d(width, outer, 4, stride=2, padding=1, bias=outermost)
        layers: list[nn.Module] = [halve] if outermost else [nn.LeakyReLU(0.2), halve]
        if within is not None:
            layers += [within] if outermost else [nn.BatchNorm2d(inner), within]
        layers += [nn.ReLU(), enlarge, nn.Tanh() if outermost else nn.BatchNorm2d(outer)]
        self.model = nn.Sequential(*layers)
        self.outermost = outermost

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.model(x)
        return y if self.outermost else torch.cat([x, y], 1)


class Pix2PixUnet(nn.Module):
    """Translates ``float32 [N, 3, H, W]`` RGB -1..1 into the same; H and W are multiples of 256, or of 128 with 7
    halvings.

    Computes what the authors' code computes in eval mode (their ``--eval``): batch norms by their running statistics,
    and no dropout. Their test script leaves both in training mode unless told otherwise.

    Args:
        halvings: How often the picture is halved: 8 in ``unet_256``, 7 in ``unet_128``.

    Raises:
        InputError: On a call: height or width is no such multiple.

    Example:
        >>> with torch.no_grad():
        ...     tuple(Pix2PixUnet(7).eval()(torch.zeros(1, 3, 128, 128)).shape)
        (1, 3, 128, 128)
    """

    input_range = (-1.0, 1.0)
    output_range = (-1.0, 1.0)

    def __init__(self, halvings: int = 8) -> None:
        super().__init__()
        self.multiple = 2**halvings
        widths = [min(_WIDTH * 2**depth, _WIDEST) for depth in range(halvings)]
        level: _Level | None = None
        for outer, inner in reversed(list(pairwise(widths))):
            level = _Level(outer, inner, level)
        self.model = _Level(3, widths[0], level, outermost=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise InputError(
                f"this pix2pix-unet cannot compute at {height} x {width}: it needs multiples of {self.multiple}",
                do=f"choose a size such as {self.multiple} x {self.multiple}",
            )
        y: torch.Tensor = self.model(x)
        return y

    @staticmethod
    def arguments_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
        """The arguments that a checkpoint's names and shapes show: each level's names begin within the one outside."""
        return {"halvings": max(1, *(name.split(".").count("model") - 1 for name in ("", *shapes)))}
