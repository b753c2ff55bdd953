"""Two thin convolutions in the place of a wide one: down the columns into few channels, along the rows out of them.

A k x k kernel of ``rank`` r is a sum of r column kernels times row kernels (Jaderberg, Vedaldi and Zisserman, "Speeding up
Convolutional Neural Networks with Low Rank Expansions", 2014). All channels between the layers stay as they are.
"""

from typing import Any, TypeAlias

import torch
from torch import nn

Wide: TypeAlias = nn.Conv2d | nn.ConvTranspose2d


class Thin(nn.Sequential):
    """Two thin convolutions in the place of a wide one."""


def thin(layer: Wide, rank: int) -> Thin:
    """Two layers of the shape that stands for a convolution, with weights that mean nothing yet, on its device.

    Args:
        layer: Of one group.
        rank: The channels between the two, 1 to :func:`full_rank`.

    Example:
        >>> wide = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        >>> both = thin(wide, 4)
        >>> both(torch.zeros(1, 8, 32, 32)).shape == wide(torch.zeros(1, 8, 32, 32)).shape
        True
    """
    transposed = isinstance(layer, nn.ConvTranspose2d)
    kind: Any = nn.ConvTranspose2d if transposed else nn.Conv2d
    sides: dict[str, Any] = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1}
    if transposed:
        sides["output_padding"] = 0
    down: dict[str, Any] = {name: (getattr(layer, name)[0], nothing) for name, nothing in sides.items()}
    across: dict[str, Any] = {name: (nothing, getattr(layer, name)[1]) for name, nothing in sides.items()}
    if isinstance(layer.padding, str):  # "same" pads nothing along a side of one
        down["padding"] = across["padding"] = layer.padding
    same: dict[str, Any] = {
        "padding_mode": layer.padding_mode, "device": layer.weight.device, "dtype": layer.weight.dtype,
    }  # fmt: skip
    return Thin(
        kind(layer.in_channels, rank, **down, bias=False, **same),
        kind(rank, layer.out_channels, **across, bias=layer.bias is not None, **same),
    )


def decomposed(layer: Wide, rank: int) -> Thin:
    """The pair of a rank that comes nearest to a convolution, by the squares of its weights' errors; exact at the full rank.

    Example:
        >>> wide, x = nn.Conv2d(3, 4, 3), torch.rand(1, 3, 8, 8)
        >>> bool(torch.allclose(decomposed(wide, full_rank(wide))(x), wide(x), atol=1e-5))
        True
    """
    both = thin(layer, rank)
    transposed = isinstance(layer, nn.ConvTranspose2d)
    kernel = layer.weight.detach().float()
    kernel = kernel.transpose(0, 1) if transposed else kernel
    given, taken, down, across = kernel.shape
    flat = kernel.permute(1, 2, 0, 3).reshape(taken * down, given * across)
    columns, sizes, rows = torch.linalg.svd(flat, full_matrices=False)
    root = sizes[:rank].sqrt()
    first = (columns[:, :rank] * root).reshape(taken, down, rank, 1).permute(2, 0, 1, 3)
    second = (rows[:rank] * root[:, None]).reshape(rank, given, across, 1).permute(1, 0, 3, 2)
    with torch.no_grad():
        for one, weight in zip(both, (first, second), strict=True):
            assert isinstance(one, Wide)
            one.weight.copy_(weight.transpose(0, 1) if transposed else weight)
        if layer.bias is not None:
            both.get_submodule("1").get_parameter("bias").copy_(layer.bias)
    return both


def full_rank(layer: Wide) -> int:
    """The rank at which a pair loses nothing: what is on the way in or on the way out, whichever is less.

    Example:
        >>> full_rank(nn.Conv2d(3, 32, 9))
        27
    """
    down, across = layer.kernel_size
    return int(min(layer.in_channels * down, layer.out_channels * across))


def even_rank(layer: Wide, *, strided: bool = False) -> float:
    """The rank at which a pair has as many weights as the convolution.

    Args:
        layer: The convolution.
        strided: Rather the rank at which it needs as many multiply-adds: one half of a pair does not yet, or already, run at
            both strides.

    Example:
        >>> even_rank(nn.Conv2d(128, 128, 3))
        192.0
        >>> even_rank(nn.Conv2d(128, 128, 3, stride=2), strided=True)
        128.0
    """
    (down, across), taken, given = layer.kernel_size, layer.in_channels, layer.out_channels
    before, after = taken * down, given * across
    if strided and isinstance(layer, nn.ConvTranspose2d):
        after *= layer.stride[0]
    elif strided:
        before *= layer.stride[1]
    return float(taken * given * down * across / (before + after))
