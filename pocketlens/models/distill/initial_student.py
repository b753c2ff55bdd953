"""A student before it is trained: a pruned copy of the teacher, or a pocket generator of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.models.checkpoint_metadata import CheckpointMetadata, read_metadata
from pocketlens.models.costs import Costs, module_costs
from pocketlens.models.distill.dataset import DistillationDataset
from pocketlens.models.distill.feature_teacher import teacher_key
from pocketlens.models.distill.hints import Hint, feature_hints, pruned_layer_hints
from pocketlens.models.pruning.low_rank import decompose, rank_share_within
from pocketlens.models.pruning.prune import Pruned, describe, prune, share_within
from pocketlens.models.pruning.reconstruct import reconstruct
from pocketlens.models.source import Source
from pocketlens.models.training.pocket_init import initial_pocket
from pocketlens.progress import Progress
from pocketlens.recipe import Compress

MULTIPLE = 4
"""Height and width of the pictures for a pocket generator are multiples of this."""
_SAMPLE = 6
"""Pictures that pruning measures importance on."""


@dataclass(frozen=True)
class InitialStudent:
    """A student before it is trained.

    Attributes:
        student: Its module.
        teacher_costs: The costs of its teacher; None of an ``.onnx`` file.
        ranges: The student's value ranges.
        metadata: What its checkpoint will say of it.
        layers: What pruning took from each layer, in words.
        hints: Targets for its inner layers.
    """

    student: nn.Module
    teacher_costs: Costs | None
    ranges: Ranges
    metadata: CheckpointMetadata
    layers: tuple[str, ...]
    hints: list[Hint]


def check_source(source: Source, size: tuple[int, int], prunes: bool) -> None:
    """Refuse a source of which no student can be made, before its teacher runs for minutes."""
    if source.styles:
        raise InputError(
            f"{source.name} is a style pack, which is neither pruned nor distilled", do="leave [compress] out"
        )
    if prunes and source.is_foreign:
        raise InputError(
            "an ONNX or TFLite file cannot be pruned, only distilled",
            do="leave channels, macs and cut out of [compress]",
        )
    if prunes:
        pruned_metadata(source)
    elif any(edge % MULTIPLE for edge in size):
        raise InputError(
            f"a pocket student needs multiples of {MULTIPLE} as height and width, found {size[0]} x {size[1]}",
            do="change sizes in the recipe",
        )


def pruned_copy(
    source: Source, settings: Compress, size: tuple[int, int], datasets: Sequence[DistillationDataset], notify: Progress
) -> InitialStudent:
    """A copy of a source with fewer channels, or of lower rank, whose layers have the weights that come nearest to
    their teacher's.
    """
    module, (low, high) = source.load(), source.ranges.input
    pixels = [torch.from_numpy(picture)[None].float() for picture in datasets[0].inputs[:_SAMPLE]]
    pictures = [picture * ((high - low) / 255) + low for picture in pixels]
    pruned, hints = cut_copy(module, settings, size, pictures), list[Hint]()
    if settings.cut == "channels":
        reconstruct(module, pruned.module, pruned.kept, pictures, settings.seed)
        hints = pruned_layer_hints(module, pruned.kept, datasets, source.ranges, teacher_key(source), notify)
    return InitialStudent(
        pruned.module, pruned.before, source.ranges, pruned_metadata(source), tuple(describe(pruned)), hints
    )


def cut_copy(module: nn.Module, settings: Compress, size: tuple[int, int], pictures: Sequence[torch.Tensor]) -> Pruned:
    """A copy of a generator with as many channels or ranks as the settings leave it.

    Args:
        module: The generator.
        settings: With ``channels`` or ``macs``.
        size: Height and width in pixels that costs are counted for.
        pictures: ``float32 [1, 3, H, W]``, in the generator's own range; they decide which channels stay, not how many.
    """
    multiple = settings.multiple
    if settings.cut == "ranks":
        assert settings.macs is not None
        share = rank_share_within(module, settings.macs, size=size, multiple=multiple)
        return decompose(module, share, size=size, multiple=multiple)
    share = settings.channels or share_within(module, settings.macs or 1.0, pictures[-1], size=size, multiple=multiple)
    pruned = prune(module, share, pictures, size=size, multiple=multiple)
    if pruned.after == pruned.before:
        raise InputError(
            f"channels = {share:g} in multiples of {multiple} leaves every layer as it is", do="make multiple smaller"
        )
    return pruned


def new_pocket(
    source: Source, settings: Compress, size: tuple[int, int], datasets: Sequence[DistillationDataset], notify: Progress
) -> InitialStudent:
    """A pocket generator that gives grey, or its input unchanged."""
    module = None if source.is_foreign else source.load()
    costs = None if module is None else module_costs(module, size)
    arguments = pocket_arguments(module, settings)
    student = initial_pocket(**arguments)
    metadata = CheckpointMetadata("pocket", arguments)
    return InitialStudent(student, costs, Ranges(), metadata, (), feature_hints(student, datasets))


def pocket_arguments(teacher: nn.Module | None, settings: Compress) -> dict[str, int]:
    """The arguments of the ``pocket`` that settings ask for; None for a teacher that cannot be looked into."""
    chosen = settings.instance_norm
    instance_norm = int(has_global_statistics(teacher) if chosen is None else chosen)
    return {
        "channels": settings.width, "blocks": settings.blocks, "half_res_channels": settings.half_res_channels,
        "instance_norm": instance_norm, "repaint": instance_norm,
    }  # fmt: skip


def has_global_statistics(module: nn.Module | None) -> bool:
    """Whether a generator computes statistics of the whole picture; assumed of one that cannot be looked into."""
    if module is None:
        return True
    kinds = (nn.InstanceNorm2d, nn.GroupNorm, nn.AdaptiveAvgPool2d)
    names = ("InstanceNorm", "LayerNorm", "GroupNorm")
    return any(isinstance(m, kinds) or any(n in type(m).__name__ for n in names) for m in module.modules())


def pruned_metadata(source: Source) -> CheckpointMetadata:
    """The metadata of a pruned copy of a source: its architecture, and how deep the source is."""
    from pocketlens.models import weights, zoo
    from pocketlens.models.checkpoint_match import best_match

    if not source.architecture or source.path is None or source.kind == "hf":
        raise InputError(
            "only checkpoints of known architectures are pruned",
            do="leave channels, macs and cut out of [compress], or prune in Python",
        )
    if metadata := read_metadata(source.path):
        return CheckpointMetadata(metadata.architecture, metadata.arguments, pruned=True)
    architecture = zoo.architecture(source.architecture)
    arguments: dict[str, Any] = dict(best_match(weights.read(source.path), architecture).variant.arguments)
    return CheckpointMetadata(source.architecture, arguments, pruned=True)
