"""A low-rank pair of convolutions in the place of one: down the columns into few channels, along the rows out of them.

A k x k kernel of ``rank`` r is a sum of r column kernels times row kernels (Jaderberg, Vedaldi and Zisserman, "Speeding
up Convolutional Neural Networks with Low Rank Expansions", 2014). All channels between the layers stay as they are.
"""

from typing import Any, TypeAlias

import torch
from torch import nn

Conv: TypeAlias = nn.Conv2d | nn.ConvTranspose2d


class LowRankConv(nn.Sequential):
    """A column convolution and a row convolution in the place of a full one."""


def empty_low_rank(conv: Conv, rank: int) -> LowRankConv:
    """The pair of layers that can stand for a convolution, with weights that mean nothing yet, on its device.

    Args:
        conv: Of one group.
        rank: The channels between the two, 1 to :func:`full_rank`.

    Example:
        >>> conv = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        >>> pair = empty_low_rank(conv, 4)
        >>> pair(torch.zeros(1, 8, 32, 32)).shape == conv(torch.zeros(1, 8, 32, 32)).shape
        True
    """
    transposed = isinstance(conv, nn.ConvTranspose2d)
    kind: Any = nn.ConvTranspose2d if transposed else nn.Conv2d
    neutral: dict[str, Any] = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1}
    if transposed:
        neutral["output_padding"] = 0
    column: dict[str, Any] = {name: (getattr(conv, name)[0], nothing) for name, nothing in neutral.items()}
    row: dict[str, Any] = {name: (nothing, getattr(conv, name)[1]) for name, nothing in neutral.items()}
    if isinstance(conv.padding, str):  # "same" pads nothing along a side of one
        column["padding"] = row["padding"] = conv.padding
    shared: dict[str, Any] = {
        "padding_mode": conv.padding_mode, "device": conv.weight.device, "dtype": conv.weight.dtype,
    }  # fmt: skip
    return LowRankConv(
        kind(conv.in_channels, rank, **column, bias=False, **shared),
        kind(rank, conv.out_channels, **row, bias=conv.bias is not None, **shared),
    )


def decompose_conv(conv: Conv, rank: int) -> LowRankConv:
    """The pair of a rank that comes nearest to a convolution, by the squares of its weights' errors; exact at the full
    rank.

    Example:
        >>> conv, x = nn.Conv2d(3, 4, 3), torch.rand(1, 3, 8, 8)
        >>> bool(torch.allclose(decompose_conv(conv, full_rank(conv))(x), conv(x), atol=1e-5))
        True
    """
    pair = empty_low_rank(conv, rank)
    transposed = isinstance(conv, nn.ConvTranspose2d)
    kernel = conv.weight.detach().float()
    kernel = kernel.transpose(0, 1) if transposed else kernel
    channels_out, channels_in, height, width = kernel.shape
    flat = kernel.permute(1, 2, 0, 3).reshape(channels_in * height, channels_out * width)
    columns, values, rows = torch.linalg.svd(flat, full_matrices=False)
    root = values[:rank].sqrt()
    first = (columns[:, :rank] * root).reshape(channels_in, height, rank, 1).permute(2, 0, 1, 3)
    second = (rows[:rank] * root[:, None]).reshape(rank, channels_out, width, 1).permute(1, 0, 3, 2)
    with torch.no_grad():
        for layer, weight in zip(pair, (first, second), strict=True):
            assert isinstance(layer, Conv)
            layer.weight.copy_(weight.transpose(0, 1) if transposed else weight)
        if conv.bias is not None:
            pair.get_submodule("1").get_parameter("bias").copy_(conv.bias)
    return pair


def full_rank(conv: Conv) -> int:
    """The rank at which a pair loses nothing: the inputs or the outputs of a kernel, whichever are fewer.

    Example:
        >>> full_rank(nn.Conv2d(3, 32, 9))
        27
    """
    height, width = conv.kernel_size
    return int(min(conv.in_channels * height, conv.out_channels * width))


def break_even_rank(conv: Conv, *, strided: bool = False) -> float:
    """The rank at which a pair has as many weights as the convolution.

    Args:
        conv: The convolution.
        strided: Rather the rank at which it needs as many multiply-adds: one layer of a pair does not yet, or already,
            run at both strides.

    Example:
        >>> break_even_rank(nn.Conv2d(128, 128, 3))
        192.0
        >>> break_even_rank(nn.Conv2d(128, 128, 3, stride=2), strided=True)
        128.0
    """
    (height, width), channels_in, channels_out = conv.kernel_size, conv.in_channels, conv.out_channels
    column, row = channels_in * height, channels_out * width
    if strided and isinstance(conv, nn.ConvTranspose2d):
        row *= conv.stride[0]
    elif strided:
        column *= conv.stride[1]
    return float(channels_in * channels_out * height * width / (column + row))
