"""Make a smaller copy of a generator by rank: all channels stay, and each convolution becomes a low-rank pair.

It costs more time than a copy with fewer channels and as many multiply-adds, and comes nearer to its teacher; figures
in decision 0016 of the documentation.
"""

import copy

from torch import nn

from pocketlens.errors import InputError
from pocketlens.models.costs import Costs, count_costs, module_costs
from pocketlens.models.pruning.low_rank_conv import (
    Conv,
    LowRankConv,
    break_even_rank,
    decompose_conv,
    empty_low_rank,
    full_rank,
)
from pocketlens.models.pruning.prune import LayerChange, Pruned, largest_share


def decompose(module: nn.Module, share: float, *, size: tuple[int, int] = (256, 256), multiple: int = 8) -> Pruned:
    """Put low-rank pairs in the place of a generator's convolutions, each with the same share of its weights.

    Args:
        module: Any generator. Convolutions of several groups, those that would need no fewer multiply-adds, and pairs
            stay.
        share: Of each convolution's weights, 0..1; multiply-adds go with it, but strided layers keep a third more of
            theirs.
        size: Height and width in pixels that costs are counted for.
        multiple: Ranks are the nearest multiples of this.

    Raises:
        InputError: ``share`` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise InputError(f"the share is {share}, expected one between 0 and 1", do="0.25 leaves a quarter of the work")
    copied = copy.deepcopy(module).eval()
    changes = []
    for conv, names, rank in _ranks(copied, share, multiple):
        before = after = conv.weight.numel()
        if rank:
            pair = decompose_conv(conv, rank)
            after = sum(weight.numel() for weight in pair.parameters() if weight.ndim > 1)
            for name in names:
                copied.set_submodule(name, pair)
        changes.append(LayerChange(names[0], (conv.in_channels,) * 2, (conv.out_channels,) * 2, (before, after), rank))
    return Pruned(copied, tuple(changes), module_costs(module, size), module_costs(copied, size))


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
        InputError: Not even the copy of the lowest rank needs so little.
    """
    empty = copy.deepcopy(module).to("meta")

    def costs_at(share: float) -> Costs:
        copied = copy.deepcopy(empty)
        for conv, names, rank in _ranks(copied, share, multiple):
            for name in names if rank else ():
                copied.set_submodule(name, empty_low_rank(conv, rank))
        return count_costs(copied, *size)

    if not any(rank for _, _, rank in _ranks(empty, 1 / 128, 1)):
        raise InputError(
            "it has no convolution that could become a low-rank pair", do='give [compress] steps without cut = "ranks"'
        )
    return largest_share(macs * module_costs(empty, size).macs, costs_at, macs)


def _ranks(module: nn.Module, share: float, multiple: int) -> list[tuple[Conv, list[str], int]]:
    """Every convolution with all its names and its rank; 0 for one that stays as it is."""
    pairs = {layer for pair in module.modules() if isinstance(pair, LowRankConv) for layer in pair}
    names: dict[Conv, list[str]] = {}
    for name, layer in module.named_modules(remove_duplicate=False):
        if type(layer) in (nn.Conv2d, nn.ConvTranspose2d) and name:
            names.setdefault(layer, []).append(name)
    ranks = []
    for conv, own_names in names.items():
        rank = max(1, round(share * break_even_rank(conv) / multiple)) * multiple
        stays = conv in pairs or conv.groups > 1 or rank >= min(break_even_rank(conv, strided=True), full_rank(conv))
        ranks.append((conv, own_names, 0 if stays else rank))
    return ranks
