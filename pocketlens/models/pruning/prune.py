"""Make a smaller copy of a generator: the least important channels go, layer by layer."""

import copy
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from pocketlens.errors import InputError, require
from pocketlens.models.costs import Costs, module_costs
from pocketlens.models.pruning import pixel_shuffle
from pocketlens.models.pruning.hooks import run_with_hooks
from pocketlens.models.pruning.importance import sensitivities

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
_STEPS = 128


@dataclass(frozen=True)
class LayerChange:
    """What pruning did to a convolution.

    Attributes:
        name: Of the convolution in its module.
        in_channels: Before and after.
        out_channels: Before and after.
        parameters: Weights before and after.
        rank: The channels between the low-rank pair that it became; 0 for one that is still a single convolution.
    """

    name: str
    in_channels: tuple[int, int]
    out_channels: tuple[int, int]
    parameters: tuple[int, int]
    rank: int = 0


@dataclass(frozen=True)
class Pruned:
    """A smaller copy, and what it lost.

    Attributes:
        module: The copy, in eval mode.
        layers: Every convolution, in the module's order.
        before: Costs of the generator.
        after: Costs of the copy, at the same size.
        kept: Convolution, by its name → which of the generator's output channels remain, in order.
    """

    module: nn.Module
    layers: tuple[LayerChange, ...]
    before: Costs
    after: Costs
    kept: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def prune(
    module: nn.Module, channels: float, pictures: Sequence[torch.Tensor], *, size: tuple[int, int] = (256, 256),
    multiple: int = 8,
) -> Pruned:  # fmt: skip
    """Keep a share of a generator's channels; what is kept computes as before, and distillation makes up for the rest.

    Channels that are added to each other, concatenated or shuffled go together (torch-pruning's dependency groups; Fang
    et al., "DepGraph", 2023). The layers that give the picture keep their channels.

    Args:
        module: Any generator.
        channels: The share of channels that stays, 0..1, to the nearest multiple; multiply-adds go with its square.
        pictures: ``float32 [1, 3, H, W]``, in the module's own range: importance is measured on them.
        size: Height and width in pixels that costs are counted for.
        multiple: Channels stay multiples of this: 8 suits most phones' kernels, 16 or 32 some accelerators.

    Raises:
        InputError: ``channels`` is not between 0 and 1, or the generator cannot be traced or run when pruned.
        MissingError: torch-pruning is not installed.
    """
    if not 0 < channels < 1:
        raise InputError(
            f"channels is {channels}, expected a share between 0 and 1", do="0.5 leaves a quarter of the work"
        )
    require("torch_pruning", "train")
    import torch_pruning as tp

    copied = copy.deepcopy(module).eval().requires_grad_(True)
    before = {name: layer for name, layer in module.named_modules() if isinstance(layer, CONVOLUTIONS)}
    try:
        sensitivities(copied, pictures)
        grads = {name: weight.grad for name, weight in copied.named_parameters()}
        shuffles = pixel_shuffle.insert_stand_ins(copied)
        for shuffle in shuffles:
            _carry_gradient(shuffle, grads)
        with redirect_stdout(io.StringIO()):
            pruner = tp.pruner.BasePruner(
                copied, pictures[0], importance=tp.importance.GroupTaylorImportance(), pruning_ratio=1 - channels,
                pruning_ratio_dict=_ratios(copied, channels, multiple), round_to=multiple,
                ignored_layers=_last(copied, pictures[0]),
            )  # fmt: skip
            removed: dict[nn.Module, set[int]] = {}
            for group in pruner.step(interactive=True):
                pixel_shuffle.record_removed(shuffles, group)
                _record_removed(removed, group)
                group.prune()
        pixel_shuffle.remove_stand_ins(copied, shuffles)
        copied.zero_grad()
        with torch.no_grad():
            shape = copied.eval()(pictures[0]).shape
    except (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"the generator cannot be pruned: {first}", do="leave channels out of [compress] and distill into a pocket"
        ) from error
    if shape != pictures[0].shape:
        raise InputError(f"the pruned generator gives {list(shape)}", do="leave channels out of [compress]")
    after = {name: layer for name, layer in copied.named_modules() if isinstance(layer, CONVOLUTIONS)}
    layers = tuple(_change(name, old, after[name]) for name, old in before.items())
    removed.update({shuffle.layer.conv: shuffle.removed_before_shuffle() for shuffle in shuffles})
    kept = {
        name: tuple(i for i in range(old.out_channels) if i not in removed.get(after[name], ()))
        for name, old in before.items()
    }
    return Pruned(copied, layers, module_costs(module, size), module_costs(copied, size), kept)


def share_within(
    module: nn.Module, macs: float, picture: torch.Tensor, *, size: tuple[int, int] = (256, 256), multiple: int = 8
) -> float:
    """The largest share of channels, in steps of 1/128, whose copy needs at most ``macs`` of a generator's
    multiply-adds.

    Args:
        module: Any generator.
        macs: The share of multiply-adds, 0..1.
        picture: ``float32 [1, 3, H, W]``; a small one will do.
        size: Height and width in pixels that costs are counted for.
        multiple: See :func:`prune`.

    Raises:
        InputError: Not even the narrowest copy needs so little.
    """

    def costs_at(share: float) -> Costs:
        return prune(module, share, [picture], size=size, multiple=multiple).after

    return largest_share(macs * module_costs(module, size).macs, costs_at, macs)


def largest_share(limit: float, costs_at: Callable[[float], Costs], macs: float) -> float:
    """The largest share, in steps of 1/128, that costs at most ``limit`` multiply-adds.

    Args:
        limit: Multiply-adds.
        costs_at: Gives the costs of a copy of a share.
        macs: The share of multiply-adds that was asked for, for messages.

    Raises:
        InputError: Not even the smallest share costs so little.
    """
    low, high = 1, _STEPS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if costs_at(middle / _STEPS).macs <= limit else (low, middle)
    if low == 1:
        raise InputError(f"no copy needs only {macs:g} of the multiply-adds", do="raise macs, or distill into a pocket")
    return low / _STEPS


def describe(pruned: Pruned) -> list[str]:
    """What each layer lost, one line a layer, then the sums.

    Example:
        >>> change = LayerChange("down.0", (3, 3), (32, 16), (7776, 3888))
        >>> describe(Pruned(nn.Identity(), (change,), Costs(4, 2, 1), Costs(1, 1, 1)))
        ['down.0: 3 -> 32 channels became 3 -> 16: 50 % of its weights went', 'in all: 2 weights became 1, 0.000 GMACs
        became 0.000 (25 %)']
    """
    lines = []
    for change in pruned.layers:
        (old_in, new_in), (old_out, new_out) = change.in_channels, change.out_channels
        old_weights, new_weights = change.parameters
        line = f"{change.name}: {old_in} -> {old_out} channels"
        if old_weights == new_weights:
            lines.append(f"{line}, untouched")
            continue
        channels = f"{old_in} -> {change.rank} -> {old_out}" if change.rank else f"{new_in} -> {new_out}"
        lost = 100 * (old_weights - new_weights) / old_weights
        lines.append(f"{line} became {channels}: {lost:.0f} % of its weights went")
    before, after = pruned.before, pruned.after
    lines.append(
        f"in all: {before.parameters:,} weights became {after.parameters:,}, {before.macs / 1e9:.3f} GMACs became "
        f"{after.macs / 1e9:.3f} ({100 * after.macs / max(1, before.macs):.0f} %)"
    )
    return lines


def _ratios(module: nn.Module, channels: float, multiple: int) -> dict[nn.Module, float]:
    """Convolution -> the share that goes; what stays is the multiple nearest to its share, which torch-pruning rounds
    down.
    """
    ratios = {}
    for layer in module.modules():
        if isinstance(layer, CONVOLUTIONS):
            stays = max(1, round(channels * layer.out_channels / multiple)) * multiple
            ratios[layer] = max(0.0, 1 - stays / layer.out_channels)
    return ratios


def _record_removed(removed: dict[nn.Module, set[int]], group: Any) -> None:
    """Record which output channels a dependency group of torch-pruning takes from each layer."""
    for dependency, channels in group:
        if "out_channels" in dependency.handler.__name__:
            removed.setdefault(dependency.target.module, set()).update(channels)


def _carry_gradient(shuffle: pixel_shuffle.ShuffleStandIn, grads: dict[str, Any]) -> None:
    gradient = grads.get(f"{shuffle.name}.conv.weight")
    if gradient is not None:
        weight = shuffle.stand_in.weight
        weight.grad = gradient.reshape(weight.shape[1], 2, 2, weight.shape[0]).permute(3, 0, 1, 2).contiguous()
    if shuffle.stand_in.bias is not None:
        shuffle.stand_in.bias.grad = torch.zeros_like(shuffle.stand_in.bias)


def _last(module: nn.Module, picture: torch.Tensor) -> list[nn.Module]:
    """The convolution that finishes last: its channels are the picture's."""
    finished: list[nn.Module] = []
    hooks = [
        layer.register_forward_hook(lambda module, _, __: finished.append(module))
        for layer in module.modules()
        if isinstance(layer, CONVOLUTIONS)
    ]
    run_with_hooks(module, picture, hooks)
    return finished[-1:]


def _change(name: str, before: Any, after: Any) -> LayerChange:
    return LayerChange(
        name,
        (before.in_channels, after.in_channels),
        (before.out_channels, after.out_channels),
        (before.weight.numel(), after.weight.numel()),
    )
