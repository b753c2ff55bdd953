"""A student before it is trained: a pruned copy of the teacher, or a pocket generator of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.models import made
from pocketlens.models.distill.answers import Answers
from pocketlens.models.distill.hints import Hint, at_a_quarter, of_own_layers
from pocketlens.models.distill.master import teacher_key
from pocketlens.models.figures import Figures, costs
from pocketlens.models.pruning.prune import explanation, prune, share_within
from pocketlens.models.pruning.ranks import decompose, rank_share_within
from pocketlens.models.pruning.reconstruct import reconstruct
from pocketlens.models.source import Source
from pocketlens.models.training.run import Notify
from pocketlens.models.training.start import fresh
from pocketlens.recipe import Compress

MULTIPLE = 4
"""Sides that a pocket generator takes are multiples of this."""
_IMPORTANT = 6
"""Pictures that pruning measures importance on."""


@dataclass(frozen=True)
class Begun:
    """A student before it is trained.

    Attributes:
        student: Its module.
        before: What its teacher costs; None of an ``.onnx`` file.
        ranges: What it takes and gives.
        how: How it is made.
        layers: What pruning took from each layer, in words.
        hints: What its layers are held to.
    """

    student: nn.Module
    before: Figures | None
    ranges: Ranges
    how: made.Made
    layers: tuple[str, ...]
    hints: list[Hint]


def check(source: Source, size: tuple[int, int], prunes: bool) -> None:
    """Refuse what cannot be, before a teacher is asked for minutes."""
    if source.styles:
        raise InputError(
            f"{source.name} is a style pack, which is neither pruned nor distilled", do="leave [compress] out"
        )
    if prunes and source.kind == "onnx":
        raise InputError(
            "an ONNX file cannot be pruned, only distilled", do="leave channels, macs and cut out of [compress]"
        )
    if prunes:
        _how(source)
    elif any(edge % MULTIPLE for edge in size):
        raise InputError(
            f"a pocket student takes multiples of {MULTIPLE}, and is to be for {size[0]} x {size[1]}",
            do="change sizes in the recipe",
        )


def pruned_copy(
    source: Source, settings: Compress, size: tuple[int, int], answers: Sequence[Answers], notify: Notify
) -> Begun:
    """A copy of a source with fewer channels, or of lower rank, whose layers have the weights that come nearest to their teacher's."""
    module, (low, high), multiple = source.load(), source.ranges.taken, settings.multiple
    shown = [torch.from_numpy(one)[None].float() for one in answers[0].taken[:_IMPORTANT]]
    scaled = [picture * ((high - low) / 255) + low for picture in shown]
    if settings.cut == "ranks":
        assert settings.macs is not None
        share = rank_share_within(module, settings.macs, size=size, multiple=multiple)
        pruned, hints = decompose(module, share, size=size, multiple=multiple), list[Hint]()
    else:
        share = settings.channels or share_within(
            module, settings.macs or 1.0, scaled[-1], size=size, multiple=multiple
        )
        pruned = prune(module, share, scaled, size=size, multiple=multiple)
        if pruned.after == pruned.before:
            raise InputError(
                f"channels = {share:g} in multiples of {multiple} leaves every layer as it is",
                do="make multiple smaller",
            )
        reconstruct(module, pruned.module, pruned.kept, scaled, settings.seed)
        hints = of_own_layers(module, pruned.kept, answers, source.ranges, teacher_key(source), notify)
    return Begun(pruned.module, pruned.before, source.ranges, _how(source), tuple(explanation(pruned)), hints)


def pocket(
    source: Source, settings: Compress, size: tuple[int, int], answers: Sequence[Answers], notify: Notify
) -> Begun:
    """A pocket generator that gives grey, or what it takes."""
    module = None if source.kind == "onnx" else source.load()
    before = None if module is None else costs(module, size)
    whole = sees_whole(module) if settings.whole is None else settings.whole
    arguments = {
        "channels": settings.width, "blocks": settings.blocks, "half": settings.half, "whole": int(whole),
        "repaint": int(whole),
    }  # fmt: skip
    student = fresh(**arguments)
    return Begun(student, before, Ranges(), made.Made("pocket", arguments), (), at_a_quarter(student, answers))


def sees_whole(module: nn.Module | None) -> bool:
    """Whether a generator looks at statistics of the whole picture; assumed of one that cannot be looked into."""
    if module is None:
        return True
    kinds = (nn.InstanceNorm2d, nn.GroupNorm, nn.AdaptiveAvgPool2d)
    names = ("InstanceNorm", "LayerNorm", "GroupNorm")
    return any(isinstance(m, kinds) or any(n in type(m).__name__ for n in names) for m in module.modules())


def _how(source: Source) -> made.Made:
    """How a pruned copy of a source is made: of the source's architecture, and of the variant that it has."""
    from pocketlens.models import weights, zoo
    from pocketlens.models.fit import closest

    if not source.architecture or source.path is None or source.kind == "hf":
        raise InputError(
            "only checkpoints of known architectures are pruned",
            do="leave channels, macs and cut out of [compress], or prune in Python",
        )
    if own := made.read(source.path):
        return made.Made(own.architecture, own.arguments, pruned=True)
    known = zoo.architecture(source.architecture)
    arguments: dict[str, Any] = dict(closest(weights.read(source.path), known).variant.arguments)
    return made.Made(source.architecture, arguments, pruned=True)
