"""Stand-ins for pixel shuffles, which torch-pruning's dependency groups do not know.

While channels are chosen, a convolution with a pixel shuffle is replaced by the transposed convolution that computes
the same: one channel of it is four of the convolution's. Afterwards the same channels leave the convolution and its
norm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from pocketlens.models.pocket import ShuffledUp

_FACTOR = 2


@dataclass
class ShuffleStandIn:
    """A :class:`~pocketlens.models.pocket.ShuffledUp` and the layer that stands in for it.

    Attributes:
        name: Of the layer in its module.
        layer: The layer itself.
        stand_in: The transposed convolution.
        removed_in: Its input channels that pruning removes.
        removed_out: Its output channels that pruning removes.
    """

    name: str
    layer: ShuffledUp
    stand_in: nn.ConvTranspose2d
    removed_in: set[int] = field(default_factory=set)
    removed_out: set[int] = field(default_factory=set)

    def removed_before_shuffle(self) -> set[int]:
        """The output channels of the layer's convolution, which stand before the shuffle, that pruning removes."""
        return {_FACTOR**2 * channel + phase for channel in self.removed_out for phase in range(_FACTOR**2)}


def insert_stand_ins(module: nn.Module) -> list[ShuffleStandIn]:
    """Put stand-ins into a module, which then computes nearly the same: norms are left out."""
    shuffles = []
    for name, layer in list(module.named_modules()):
        if isinstance(layer, ShuffledUp):
            weight = layer.conv.weight.detach()
            channels = len(weight) // _FACTOR**2
            stand_in = nn.ConvTranspose2d(weight.shape[1], channels, _FACTOR, _FACTOR)
            kernel = weight.reshape(channels, _FACTOR, _FACTOR, weight.shape[1]).permute(3, 0, 1, 2)
            stand_in.weight = nn.Parameter(kernel.contiguous())
            module.set_submodule(name, stand_in)
            shuffles.append(ShuffleStandIn(name, layer, stand_in))
    return shuffles


def record_removed(shuffles: Sequence[ShuffleStandIn], group: Any) -> None:
    """Record which channels a dependency group of torch-pruning takes from the stand-ins."""
    for dependency, channels in group:
        for shuffle in shuffles:
            if dependency.target.module is shuffle.stand_in:
                removed = shuffle.removed_out if "out_channels" in dependency.handler.__name__ else shuffle.removed_in
                removed.update(channels)


def remove_stand_ins(module: nn.Module, shuffles: Sequence[ShuffleStandIn]) -> None:
    """Put the pruned layers back where their stand-ins are."""
    for shuffle in shuffles:
        layer = shuffle.layer
        kept_in = [i for i in range(layer.conv.in_channels) if i not in shuffle.removed_in]
        kept_out = [i for i in range(layer.conv.out_channels) if i not in shuffle.removed_before_shuffle()]
        layer.conv.weight = nn.Parameter(layer.conv.weight.detach()[kept_out][:, kept_in].clone())
        layer.conv.in_channels, layer.conv.out_channels = len(kept_in), len(kept_out)
        norm: Any = layer.norm
        norm.num_features = len(kept_out)
        for name, weight in list(norm.named_parameters()):
            setattr(norm, name, nn.Parameter(weight.detach()[kept_out].clone()))
        for name, statistic in list(norm.named_buffers()):
            if isinstance(statistic, torch.Tensor) and statistic.ndim == 1:
                setattr(norm, name, statistic[kept_out].clone())
        module.set_submodule(shuffle.name, layer)
