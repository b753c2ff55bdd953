"""Make a smaller copy of a generator by rank: all channels stay, and each convolution becomes a pair of thin ones.

It costs more time than a copy with fewer channels and as many multiply-adds, and comes nearer to its teacher; figures in
``docs/decisions/0016``.
"""

import copy

from torch import nn

from pocketlens.errors import InputError
from pocketlens.models.figures import Figures, costs, count
from pocketlens.models.pruning.prune import Layer, Pruned, largest_within
from pocketlens.models.pruning.thin import Thin, Wide, decomposed, even_rank, full_rank, thin


def decompose(module: nn.Module, share: float, *, size: tuple[int, int] = (256, 256), multiple: int = 8) -> Pruned:
    """Put pairs of thin convolutions in the place of a generator's, each with the same share of its weights.

    Args:
        module: Any generator. Convolutions of several groups, those that would need no fewer multiply-adds, and pairs stay.
        share: Of each convolution's weights, 0..1; multiply-adds go with it, but strided layers keep a third more of theirs.
        size: Height and width in pixels that costs are counted for.
        multiple: Ranks are the nearest multiples of this.

    Raises:
        InputError: ``share`` is none.
    """
    if not 0 < share < 1:
        raise InputError(f"the share is {share}, expected one between 0 and 1", do="0.25 leaves a quarter of the work")
    copied = copy.deepcopy(module).eval()
    layers = []
    for layer, names, rank in _chosen(copied, share, multiple):
        before = now = layer.weight.numel()
        if rank:
            both = decomposed(layer, rank)
            now = sum(one.numel() for one in both.parameters() if one.ndim > 1)
            for name in names:
                copied.set_submodule(name, both)
        layers.append(Layer(names[0], (layer.in_channels,) * 2, (layer.out_channels,) * 2, (before, now), rank))
    return Pruned(copied, tuple(layers), costs(module, size), costs(copied, size))


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

    def of(share: float) -> Figures:
        copied = copy.deepcopy(empty)
        for layer, names, rank in _chosen(copied, share, multiple):
            for name in names if rank else ():
                copied.set_submodule(name, thin(layer, rank))
        return count(copied, *size)

    if not any(rank for _, _, rank in _chosen(empty, 1 / 128, 1)):
        raise InputError("it has no convolution that could become two thin ones", do='leave cut = "ranks" out')
    return largest_within(macs * costs(empty, size).macs, of, macs)


def _chosen(module: nn.Module, share: float, multiple: int) -> list[tuple[Wide, list[str], int]]:
    """Every convolution with all its names and its rank; 0 for one that stays as it is."""
    parts = {one for both in module.modules() if isinstance(both, Thin) for one in both}
    names: dict[Wide, list[str]] = {}
    for name, layer in module.named_modules(remove_duplicate=False):
        if type(layer) in (nn.Conv2d, nn.ConvTranspose2d) and name:
            names.setdefault(layer, []).append(name)
    found = []
    for layer, own in names.items():
        rank = max(1, round(share * even_rank(layer) / multiple)) * multiple
        stays = layer in parts or layer.groups > 1 or rank >= min(even_rank(layer, strided=True), full_rank(layer))
        found.append((layer, own, 0 if stays else rank))
    return found
