"""Make a smaller copy of a generator by rank: all channels stay, and each convolution becomes a pair of thin ones.

It costs more time than a copy with fewer channels and as many multiply-adds, and comes nearer to its teacher; figures in
``docs/decisions/0016``.
"""

import copy

from torch import nn

from pocketlens.errors import InputError
from pocketlens.models.figures import Figures, count
from pocketlens.models.pruning.pairs import Pair, decomposed, even_rank, full_rank, pair
from pocketlens.models.pruning.prune import CONVOLUTIONS, Layer, Pruned, largest_within


def decompose(module: nn.Module, share: float, *, size: tuple[int, int] = (256, 256), multiple: int = 8) -> Pruned:
    """Put pairs of thin convolutions in the place of a generator's, each with the same share of its weights.

    Args:
        module: Any generator. Convolutions of several groups, those that would not become smaller, and pairs stay as they are.
        share: Of each convolution's weights, 0..1; multiply-adds go with it.
        size: Height and width in pixels that costs are counted for.
        multiple: Ranks are the nearest multiples of this.

    Raises:
        InputError: ``share`` is none.
    """
    if not 0 < share < 1:
        raise InputError(f"the share is {share}, expected one between 0 and 1", do="0.25 leaves a quarter of the work")
    copied = copy.deepcopy(module).eval()
    layers, kept = [], {}
    for name, layer, rank in _chosen(copied, share, multiple):
        given = (layer.out_channels,) * 2
        weights = layer.weight.numel()
        after = weights
        if rank:
            both = decomposed(layer, rank)
            after = sum(one.numel() for one in both.parameters() if one.ndim > 1)
            copied.set_submodule(name, both)
        layers.append(Layer(name, (layer.in_channels,) * 2, given, (weights, after), rank))
        kept[name] = tuple(range(layer.out_channels))
    before, now = (count(copy.deepcopy(one).to("meta"), *size) for one in (module, copied))
    return Pruned(copied, tuple(layers), before, now, kept)


def rank_share_within(
    module: nn.Module, macs: float, *, size: tuple[int, int] = (256, 256), multiple: int = 8
) -> float:
    """The largest share, in steps of 1/128, whose copy needs at most ``macs`` of a generator's multiply-adds.

    Args:
        module: Any generator.
        macs: The share of multiply-adds, 0..1.
        size: Height and width in pixels that costs are counted for.
        multiple: See :func:`decompose`.

    Raises:
        InputError: Not even the thinnest copy needs so little.
    """
    empty = copy.deepcopy(module).to("meta")

    def costs(share: float) -> Figures:
        copied = copy.deepcopy(empty)
        for name, layer, rank in _chosen(copied, share, multiple):
            if rank:
                copied.set_submodule(name, pair(layer, rank))
        return count(copied, *size)

    return largest_within(macs * count(copy.deepcopy(empty), *size).macs, costs, macs)


def _chosen(module: nn.Module, share: float, multiple: int) -> list[tuple[str, nn.Conv2d | nn.ConvTranspose2d, int]]:
    """Every convolution with its rank; 0 for one that stays as it is."""
    thin = {one for both in module.modules() if isinstance(both, Pair) for one in both}
    found = []
    for name, layer in module.named_modules():
        if isinstance(layer, CONVOLUTIONS):
            rank = max(1, round(share * even_rank(layer) / multiple)) * multiple
            stays = not name or layer in thin or layer.groups > 1 or rank >= min(even_rank(layer), full_rank(layer))
            found.append((name, layer, 0 if stays else rank))
    return found
