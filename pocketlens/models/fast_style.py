"""The fast-style-transfer generator (Johnson et al. 2016, as lengstrom/fast-style-transfer trains it)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from pocketlens.errors import InputError

_AROUND = 6
"""Convolutions before and behind the residual blocks."""
_DIGITS = 4
"""Digits that no array's number has."""
_EPSILON = 1e-3


class _SameConvNorm(nn.Module):
    """A convolution with TensorFlow's SAME padding, without bias, and an instance norm."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, bias=False)
        self.norm = nn.InstanceNorm2d(channels_out, eps=_EPSILON, affine=True)
        # SAME on even sizes: kernel - stride zeros in all, the odd one after.
        before = (kernel - stride) // 2
        after = kernel - stride - before
        self.padding = (before, after, before, after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.norm(self.conv(F.pad(x, self.padding)))
        return y


class _UpNorm(nn.Module):
    """A transposed convolution of stride 2 whose 2n+1 rows and columns are cropped to the first 2n, and a norm."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels_in, channels_out, 3, 2, bias=False)
        self.norm = nn.InstanceNorm2d(channels_out, eps=_EPSILON, affine=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.norm(self.conv(x)[:, :, :-1, :-1])
        return y


class _SameResidual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _SameConvNorm(channels, channels, 3)
        self.second = _SameConvNorm(channels, channels, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = x + self.second(F.relu(self.first(x)))
        return y


class FastStyle(nn.Module):
    """Stylizes ``float32 [N, 3, H, W]`` RGB 0..255 into the same; H and W are multiples of 4.

    Values leave as ``150 tanh(x) + 127.5``, so they overshoot 0..255 by up to 22.5; the graph clamps them.

    Args:
        blocks: Number of residual blocks.

    Example:
        >>> with torch.no_grad():
        ...     tuple(FastStyle().eval()(torch.zeros(1, 3, 32, 48)).shape)
        (1, 3, 32, 48)
    """

    input_range = (0.0, 255.0)
    output_range = (0.0, 255.0)
    multiple = 4

    def __init__(self, blocks: int = 5) -> None:
        super().__init__()
        self.down = nn.ModuleList([_SameConvNorm(3, 32, 9), _SameConvNorm(32, 64, 3, 2), _SameConvNorm(64, 128, 3, 2)])
        self.blocks = nn.ModuleList([_SameResidual(128) for _ in range(blocks)])
        self.up = nn.ModuleList([_UpNorm(128, 64), _UpNorm(64, 32)])
        self.last = _SameConvNorm(32, 3, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.down:
            x = F.relu(layer(x))
        for block in self.blocks:
            x = block(x)
        for layer in self.up:
            x = F.relu(layer(x))
        y: torch.Tensor = torch.tanh(self.last(x)) * 150 + 127.5
        return y

    @staticmethod
    def arguments_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
        """The arguments that a checkpoint's names and shapes show."""
        return {"blocks": len({name.split(".")[1] for name in shapes if name.startswith("blocks.")})}

    @staticmethod
    def convert_weights(arrays: Mapping[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
        """Turn TensorFlow's arrays (``Variable``, ``Variable_1`` … ``Variable_47``) into this module's state dict.

        How many there are says how many blocks: 48 for five. Three arrays a convolution, in order: the kernel (HWIO;
        the transposed ones ``[h, w, out, in]``), the norm's shift, its scale. Anything without a ``Variable`` passes
        through, as a state dict of this module does.

        Raises:
            InputError: Arrays are missing or too many; the message names them.
        """
        if not any(name.startswith("Variable") for name in arrays):
            return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        numbers = [name.removeprefix("Variable_") for name in arrays]
        last = max((int(number) for number in numbers if number.isdecimal() and len(number) < _DIGITS), default=0)
        blocks = max(0, (last // 3 + 1 - _AROUND) // 2)
        names = ["Variable", *(f"Variable_{i}" for i in range(1, 3 * (_AROUND + 2 * blocks)))]
        missing = [name for name in names if name not in arrays]
        extra = sorted(set(arrays) - set(names))
        if missing or extra:
            raise InputError(
                f"not a fast-style checkpoint: {_some('missing', missing)}{_some('too many', extra)}".rstrip("; "),
                do="check architecture in the recipe, or the file",
            )
        converted: dict[str, torch.Tensor] = {}
        for i, layer in enumerate(_layer_names(blocks)):
            kernel, shift, scale = (np.array(arrays[names[3 * i + k]]) for k in range(3))
            # HWIO -> OIHW; a transposed kernel is [h, w, out, in] and torch wants [in, out, h, w]: the same
            # permutation.
            if kernel.ndim != 4:
                raise InputError(
                    f"{names[3 * i]} has shape {list(kernel.shape)}, expected 4 dimensions", do="check the file"
                )
            converted[f"{layer}.conv.weight"] = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
            converted[f"{layer}.norm.weight"] = torch.from_numpy(scale)
            converted[f"{layer}.norm.bias"] = torch.from_numpy(shift)
        return converted


def _layer_names(blocks: int) -> list[str]:
    residual = [f"blocks.{i}.{part}" for i in range(blocks) for part in ("first", "second")]
    return [*(f"down.{i}" for i in range(3)), *residual, "up.0", "up.1", "last"]


def _some(label: str, names: list[str]) -> str:
    if not names:
        return ""
    return f"{label} {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}; "
