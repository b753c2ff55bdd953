"""The project's own mobile generator: small convolutions at reduced size, in operators that every target fuses."""

from collections.abc import Iterator, Mapping

import torch
from torch import nn
from torch.nn import functional as F

StyleAffine = tuple[torch.Tensor, torch.Tensor] | None
"""A style's scale and shift for each channel of a layer, ``[N, channels, 1, 1]``; None where there is one style."""


class _ConvNorm(nn.Module):
    """A convolution without bias, and a batch norm, which folds into it on export, or an instance norm, which does not.

    Where there are several styles, each has scales and shifts of its own in the norm's place (Dumoulin, Shlens and
    Kudlur 2017).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int = 1,
        *,
        instance_norm: bool,
        affine: bool = True,
    ) -> None:
        super().__init__()
        padding = (kernel - stride) // 2
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, bias=False)
        kind = nn.InstanceNorm2d if instance_norm else nn.BatchNorm2d
        self.norm: nn.Module = kind(channels_out, affine=affine)

    def forward(self, x: torch.Tensor, style: StyleAffine = None) -> torch.Tensor:
        y: torch.Tensor = self.norm(self.conv(x))
        return _apply_style(y, style)


def _apply_style(y: torch.Tensor, style: StyleAffine) -> torch.Tensor:
    return y if style is None else y * style[0] + style[1]


class ShuffledUp(_ConvNorm):
    """To twice the size: a 1 x 1 convolution to four times the channels, a norm, a pixel shuffle.

    The norm stands before the shuffle, because only there does it fold.
    """

    def __init__(self, channels_in: int, channels_out: int, *, instance_norm: bool, affine: bool = True) -> None:
        super().__init__(channels_in, 4 * channels_out, 1, instance_norm=instance_norm, affine=affine)

    def forward(self, x: torch.Tensor, style: StyleAffine = None) -> torch.Tensor:
        return F.pixel_shuffle(super().forward(x, style), 2)


class Pocket(nn.Module):
    """Stylizes ``float32 [N, 3, H, W]`` RGB 0..255 into the same; H and W are multiples of 4.

    Two strided convolutions take the picture to a half and a quarter of its size. Residual convolutions see far at the
    quarter, a few more draw the fine lines at the half, and pixel shuffles lead back up. The result is added to the
    picture: nothing else runs at full size. Values leave unclamped; the graph clamps them.

    Why like this: going straight to a quarter and back left visible 4 x 4 blocks and weak lines (SSIM 0.84 against 0.89
    after the same short training on the shipped filter's task, at equal multiply-adds). Depthwise blocks learned a
    little more a step and took twice as long for it. Strided convolutions instead of pixel unshuffles, because no
    target needs a SpaceToDepth for them. The documentation's decisions tell how norms of the whole picture were
    compared.

    Args:
        channels: Width of the features at a quarter. Runtimes block channels by 8 or 16, so multiples of 16 cost least.
        blocks: Number of residual convolutions at a quarter of the size.
        fine: Number of residual convolutions at half the size; each costs as much as four blocks of the same width.
        half_res_channels: Width of the features at half the size; 0 for the same as at a quarter.
        instance_norm: 1 for instance norms, which see the contrast of the whole picture: for students of teachers that
            have them. 0 for batch norms, which cost nothing once they are folded.
        repaint: 1 for a picture of its own, ``150 tanh(x) + 127.5``; 0 for one that is added to the input.
        styles: How many styles share the weights, 0 for one. Each has scales and shifts of its own for every channel,
            less than a hundredth of all weights; ``style``, ``[N, styles]``, is how much of each, and they are blended.

    Example:
        >>> with torch.no_grad():
        ...     tuple(Pocket().eval()(torch.zeros(1, 3, 32, 48)).shape)
        (1, 3, 32, 48)
    """

    input_range = (0.0, 255.0)
    output_range = (0.0, 255.0)
    multiple = 4

    def __init__(
        self, channels: int = 32, blocks: int = 4, fine: int = 1, half_res_channels: int = 0, instance_norm: int = 0,
        repaint: int = 0, styles: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        half = half_res_channels or channels
        norm = {"instance_norm": bool(instance_norm), "affine": not styles}
        self.repaint = bool(repaint)
        self.stem = _ConvNorm(3, half, 4, stride=2, **norm)
        self.down = _ConvNorm(half, channels, 4, stride=2, **norm)
        self.blocks = nn.ModuleList([_ConvNorm(channels, channels, 3, **norm) for _ in range(blocks)])
        self.up = ShuffledUp(channels, half, **norm)
        self.fine = nn.ModuleList([_ConvNorm(half, half, 3, **norm) for _ in range(fine)])
        self.head = nn.Conv2d(half, 12, 3, padding=1)
        if styles:
            self._widths = [half, channels, *[channels] * blocks, 4 * half, *[half] * fine, 12]
            identity = torch.cat([torch.ones(sum(self._widths)), torch.zeros(sum(self._widths))])
            self.table = nn.Parameter(identity.repeat(styles, 1))

    def forward(self, x: torch.Tensor, style: torch.Tensor | None = None) -> torch.Tensor:
        styles = self._layer_styles(style)
        half = F.relu(self.stem(x, next(styles)))
        quarter = F.relu(self.down(half, next(styles)))
        # The sum before the activation: convolution, addition and ReLU become one kernel in most runtimes.
        for block in self.blocks:
            quarter = F.relu(quarter + block(quarter, next(styles)))
        half = F.relu(half + self.up(quarter, next(styles)))
        for block in self.fine:
            half = F.relu(half + block(half, next(styles)))
        drawn = F.pixel_shuffle(_apply_style(self.head(half), next(styles)), 2)
        return torch.tanh(drawn) * 150 + 127.5 if self.repaint else x + drawn

    @staticmethod
    def arguments_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
        """The arguments that a checkpoint's names and shapes show. Whether it repaints shows in none of them: distilled
        ones do where they have instance norms. Packs are not told from their tensors, as nothing names their styles.
        """
        instance_norm = int("stem.norm.running_mean" not in shapes)
        depths = {
            part: len({n.split(".")[1] for n in shapes if n.startswith(f"{part}.")}) for part in ("blocks", "fine")
        }
        widths = {
            argument: shapes.get(f"{layer}.conv.weight", (1,))[0]
            for argument, layer in (("half_res_channels", "stem"), ("channels", "down"))
        }
        return {**depths, **widths, "instance_norm": instance_norm, "repaint": instance_norm}

    def _layer_styles(self, style: torch.Tensor | None) -> Iterator[StyleAffine]:
        """The style's scale and shift for each layer in order; those of the first style where none is given."""
        if not hasattr(self, "table"):
            while True:
                yield None
        rows = self.table[:1] if style is None else style @ self.table
        parts = [part[..., None, None] for part in rows.split([*self._widths, *self._widths], dim=1)]
        yield from zip(parts[: len(self._widths)], parts[len(self._widths) :], strict=True)
