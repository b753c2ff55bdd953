"""What a student's inner layers should give, for each training picture (hints, after Romero et al., "FitNets", 2015).

A pocket student has layers of its own: a 1 x 1 convolution must find the teacher's features in the last one at a quarter of
the size. The layers of a pruned copy are the teacher's with channels gone, and are held to the ones that stayed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pocketlens import files
from pocketlens.converters.ranges import Ranges
from pocketlens.models.distill.answers import Answers, digest
from pocketlens.models.distill.features import listening, quarter_layer
from pocketlens.models.training.run import Notify, device

_LAYERS = 6
"""Layers of a pruned copy that are held to the teacher's; more learned no faster."""
_GRID = 8
"""Features are kept at one place in this many pixels, across and down: a sixty-fourth of what a layer at full size gives."""
_SAMPLE = 8
"""Pictures that the spread of a channel is taken from."""


@dataclass(frozen=True)
class Hint:
    """What one layer of a student should give.

    Attributes:
        layer: Its name in the student.
        wanted: For each of the answers, ``float16 [count, channels, h, w]``, each channel of variance about 1.
        scale: ``float32 [channels]``, what the layer's channels are multiplied with to be compared; None if a 1 x 1
            convolution is trained that makes them comparable.
    """

    layer: str
    wanted: tuple[NDArray[np.float16], ...]
    scale: NDArray[np.float32] | None = None


def at_a_quarter(student: nn.Module, answers: Sequence[Answers]) -> list[Hint]:
    """The teacher's features that came with its answers, for the student's last layer of their size; none if either has none."""
    wanted = tuple(one.features for one in answers if one.features is not None)
    layer = quarter_layer(student) if wanted else ""
    return [Hint(layer, wanted)] if layer else []


def of_own_layers(
    module: nn.Module, kept: Mapping[str, Sequence[int]], answers: Sequence[Answers], ranges: Ranges, key: str,
    notify: Notify = lambda what, done, total: None,
) -> list[Hint]:  # fmt: skip
    """What some of a generator's convolutions give in the channels that its pruned copy has; computed once, then cached.

    Args:
        module: The generator.
        kept: Convolution, by its name -> which of the generator's output channels the copy's are.
        answers: Whose pictures are shown to it.
        ranges: The generator's.
        key: A hash of what the generator computes.
        notify: Told about progress.
    """
    names = _spread(list(kept))
    chosen = {name: list(kept[name]) for name in names}

    def make(place: Path) -> None:
        _make(module.eval().to(device()), chosen, answers, ranges, place, notify)

    whole = files.key_of(generator=key, chosen=chosen, answers=digest(answers), grid=_GRID)
    place = files.cached("hints", whole, make)
    found = []
    for i, name in enumerate(names):
        wanted = tuple(np.load(place / f"{i}-{j}.npy", mmap_mode="r", allow_pickle=False) for j in range(len(answers)))
        found.append(Hint(name, wanted, np.load(place / f"{i}-scale.npy", allow_pickle=False)))
    return found


def sampled(given: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Every n-th row and column of a layer's output, so that ``height`` and ``width`` stay; as it is if it is no larger.

    Example:
        >>> tuple(sampled(torch.zeros(1, 5, 64, 64), 32, 32).shape)
        (1, 5, 32, 32)
    """
    down, across = max(1, given.shape[-2] // height), max(1, given.shape[-1] // width)
    return given[..., ::down, ::across][..., :height, :width]


def _spread(names: Sequence[str]) -> list[str]:
    """Some of a generator's convolutions, evenly over its depth; not the last, which gives the picture itself."""
    inner = list(names)[:-1]
    count = min(_LAYERS, len(inner))
    return [inner[round((i + 1) * len(inner) / count) - 1] for i in range(count)]


def _make(
    module: nn.Module, chosen: Mapping[str, list[int]], answers: Sequence[Answers], ranges: Ranges, place: Path,
    notify: Notify,
) -> None:  # fmt: skip
    low, high = ranges.taken
    total, done = sum(len(one.taken) for one in answers), 0
    scales: dict[str, NDArray[np.float32]] = {}
    for j, one in enumerate(answers):
        side = one.taken.shape[-1]
        gathered: dict[str, list[torch.Tensor]] = {name: [] for name in chosen}
        for picture in one.taken:
            x = torch.from_numpy(picture).to(device()).float()[None] * ((high - low) / 255) + low
            with listening(module, *chosen) as heard, torch.no_grad():
                module(x)
            for name, channels in chosen.items():
                # Sampled, then chosen: choosing copies, so that no layer's whole output is kept in memory.
                seen = sampled(heard[name][0], *(max(1, side // _GRID),) * 2)
                gathered[name].append(seen[channels].cpu())
            done += 1
            notify("asking the teacher's layers", done, total)
        for i, (name, tensors) in enumerate(gathered.items()):
            if name not in scales:
                spread = torch.stack(tensors[:_SAMPLE]).transpose(0, 1).flatten(1).std(1)
                scales[name] = (1 / spread.clamp_min(1e-6)).numpy()
                np.save(place / f"{i}-scale.npy", scales[name])
            scaled = torch.stack(tensors) * torch.from_numpy(scales[name])[:, None, None]
            np.save(place / f"{i}-{j}.npy", scaled.clamp(-30, 30).half().numpy())
