"""Targets for a student's inner layers, for each training picture (hints, after Romero et al., "FitNets", 2015).

A pocket student has layers of its own: a 1 x 1 convolution must find the teacher's features in the last one at a
quarter of the size. The layers of a pruned copy are the teacher's with fewer channels, and are trained to give what
these give in the teacher.
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
from pocketlens.models.distill.dataset import DistillationDataset, digest
from pocketlens.models.distill.features import capture_outputs, quarter_layer
from pocketlens.models.training.loop import device
from pocketlens.progress import Progress, silent

_LAYERS = 6
"""Layers of a pruned copy that have hints; with more it learned no faster."""
_GRID = 8
"""Features are kept at one place in this many pixels, across and down: a sixty-fourth of what a layer at full size
gives.
"""
_SAMPLE = 8
"""Pictures that the spread of a channel is taken from."""


@dataclass(frozen=True)
class Hint:
    """What one layer of a student should give.

    Attributes:
        layer: The name of the layer in the student.
        targets: For each dataset, ``float16 [count, channels, h, w]``, each channel of variance about 1.
        scale: ``float32 [channels]``, by which the layer's channels are multiplied before they are compared; None if a
            trained 1 x 1 convolution makes them comparable.
    """

    layer: str
    targets: tuple[NDArray[np.float16], ...]
    scale: NDArray[np.float32] | None = None


def feature_hints(student: nn.Module, datasets: Sequence[DistillationDataset]) -> list[Hint]:
    """The datasets' features for the student's last layer of their size; empty if either has none."""
    targets = tuple(dataset.features for dataset in datasets if dataset.features is not None)
    layer = quarter_layer(student) if targets else ""
    return [Hint(layer, targets)] if layer else []


def pruned_layer_hints(
    module: nn.Module, kept: Mapping[str, Sequence[int]], datasets: Sequence[DistillationDataset], ranges: Ranges,
    key: str, notify: Progress = silent,
) -> list[Hint]:  # fmt: skip
    """What some of a generator's convolutions give in the channels that its pruned copy kept; computed once, then
    cached.

    Args:
        module: The generator.
        kept: Convolution, by its name -> which of the generator's output channels the copy kept.
        datasets: Their pictures are shown to the generator.
        ranges: The generator's.
        key: A hash of what the generator computes.
        notify: Told about progress.
    """
    names = _evenly_spaced(list(kept))
    chosen = {name: list(kept[name]) for name in names}

    def make(place: Path) -> None:
        _record(module.eval().to(device()), chosen, datasets, ranges, place, notify)

    full_key = files.key_of(generator=key, chosen=chosen, answers=digest(datasets), grid=_GRID)
    place = files.cached("hints", full_key, make)
    hints = []
    for i, name in enumerate(names):
        targets = tuple(
            np.load(place / f"{i}-{j}.npy", mmap_mode="r", allow_pickle=False) for j in range(len(datasets))
        )
        hints.append(Hint(name, targets, np.load(place / f"{i}-scale.npy", allow_pickle=False)))
    return hints


def subsample(output: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Every n-th row and column of a layer's output, so that ``height`` and ``width`` stay; as it is if it is no
    larger.

    Example:
        >>> tuple(subsample(torch.zeros(1, 5, 64, 64), 32, 32).shape)
        (1, 5, 32, 32)
    """
    down, across = max(1, output.shape[-2] // height), max(1, output.shape[-1] // width)
    return output[..., ::down, ::across][..., :height, :width]


def _evenly_spaced(names: Sequence[str]) -> list[str]:
    """Some of a generator's convolutions, evenly over its depth; not the last, which gives the picture itself."""
    inner = list(names)[:-1]
    count = min(_LAYERS, len(inner))
    return [inner[round((i + 1) * len(inner) / count) - 1] for i in range(count)]


def _record(
    module: nn.Module, chosen: Mapping[str, list[int]], datasets: Sequence[DistillationDataset], ranges: Ranges,
    place: Path, notify: Progress,
) -> None:  # fmt: skip
    low, high = ranges.input
    total, done = sum(len(dataset.inputs) for dataset in datasets), 0
    scales: dict[str, NDArray[np.float32]] = {}
    for j, dataset in enumerate(datasets):
        side = dataset.inputs.shape[-1]
        gathered: dict[str, list[torch.Tensor]] = {name: [] for name in chosen}
        for picture in dataset.inputs:
            x = torch.from_numpy(picture).to(device()).float()[None] * ((high - low) / 255) + low
            with capture_outputs(module, *chosen) as captured, torch.no_grad():
                module(x)
            for name, channels in chosen.items():
                # Sampled, then chosen: choosing copies, so that no layer's whole output is kept in memory.
                sampled = subsample(captured[name][0], *(max(1, side // _GRID),) * 2)
                gathered[name].append(sampled[channels].cpu())
            done += 1
            notify("recording the teacher's layers", done, total)
        for i, (name, tensors) in enumerate(gathered.items()):
            if name not in scales:
                spread = torch.stack(tensors[:_SAMPLE]).transpose(0, 1).flatten(1).std(1)
                scales[name] = (1 / spread.clamp_min(1e-6)).numpy()
                np.save(place / f"{i}-scale.npy", scales[name])
            scaled = torch.stack(tensors) * torch.from_numpy(scales[name])[:, None, None]
            np.save(place / f"{i}-{j}.npy", scaled.clamp(-30, 30).half().numpy())
