"""Pixel shuffles for pruning by dependency groups, which know nothing of them.

While channels are chosen, a convolution with a pixel shuffle is replaced by the transposed convolution that computes the
same: one channel of it is four of the convolution's. Afterwards the same channels leave the convolution and its norm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from pocketlens.models.pocket import ShuffledUp

_FACTOR = 2


@dataclass
class Shuffle:
    """A :class:`~pocketlens.models.pocket.ShuffledUp` and what stands in for it.

    Attributes:
        name: Of the layer in its module.
        layer: The layer itself.
        stand_in: The transposed convolution.
        gone_in: Its input channels that are pruned.
        gone_out: Its output channels that are pruned.
    """

    name: str
    layer: ShuffledUp
    stand_in: nn.ConvTranspose2d
    gone_in: set[int] = field(default_factory=set)
    gone_out: set[int] = field(default_factory=set)

    def lost(self) -> set[int]:
        """Output channels of the layer's convolution, before the shuffle, that are pruned."""
        return {_FACTOR**2 * channel + phase for channel in self.gone_out for phase in range(_FACTOR**2)}


def replace(module: nn.Module) -> list[Shuffle]:
    """Put stand-ins into a module, which then computes nearly the same: norms are left out."""
    found = []
    for name, layer in list(module.named_modules()):
        if isinstance(layer, ShuffledUp):
            weight = layer.conv.weight.detach()
            channels = len(weight) // _FACTOR**2
            stand_in = nn.ConvTranspose2d(weight.shape[1], channels, _FACTOR, _FACTOR)
            kernel = weight.reshape(channels, _FACTOR, _FACTOR, weight.shape[1]).permute(3, 0, 1, 2)
            stand_in.weight = nn.Parameter(kernel.contiguous())
            _put(module, name, stand_in)
            found.append(Shuffle(name, layer, stand_in))
    return found


def note(shuffles: Sequence[Shuffle], group: Any) -> None:
    """Remember what a dependency group of torch-pruning takes from the stand-ins."""
    for dependency, channels in group:
        for shuffle in shuffles:
            if dependency.target.module is shuffle.stand_in:
                gone = shuffle.gone_out if "out_channels" in dependency.handler.__name__ else shuffle.gone_in
                gone.update(channels)


def restore(module: nn.Module, shuffles: Sequence[Shuffle]) -> None:
    """Put the pruned layers back where their stand-ins are."""
    for shuffle in shuffles:
        layer = shuffle.layer
        taken = [i for i in range(layer.conv.in_channels) if i not in shuffle.gone_in]
        given = [i for i in range(layer.conv.out_channels) if i not in shuffle.lost()]
        layer.conv.weight = nn.Parameter(layer.conv.weight.detach()[given][:, taken].clone())
        layer.conv.in_channels, layer.conv.out_channels = len(taken), len(given)
        norm: Any = layer.norm
        norm.num_features = len(given)
        for name, weight in list(norm.named_parameters()):
            setattr(norm, name, nn.Parameter(weight.detach()[given].clone()))
        for name, kept in list(norm.named_buffers()):
            if isinstance(kept, torch.Tensor) and kept.ndim == 1:
                setattr(norm, name, kept[given].clone())
        _put(module, shuffle.name, layer)


def _put(module: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(module.get_submodule(parent), own, layer)
