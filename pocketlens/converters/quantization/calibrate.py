"""Calibration: the ranges of values on real pictures, channel by channel, and their histograms.

Pictures are streamed: of each only counts are kept, and as many values are played at once as fit in :data:`MAX_BYTES`.
Where the values of all pictures fit, they are played once.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.errors import InputError
from pocketlens.images import Picture

MAX_BYTES = 192 << 20
"""Of values that are held at once while pictures are played."""
_AT_ONCE = 1 << 20
"""Numbers that are widened to float64 at once."""
BINS = 2048
PERCENTILE = 99.99
"""Percent of a value's numbers that lie within ``percentile`` ranges, half of the rest on either side."""


@dataclass(frozen=True)
class ActivationStatistics:
    """Statistics of one value over all calibration pictures.

    Attributes:
        low: The least number of each channel, ``float64 [channels]`` (axis 1).
        high: The largest of each channel.
        mean: The mean of each channel.
        variance: The variance of each channel within a picture, averaged over pictures.
        counts: How many numbers lay in each of :data:`BINS` equal steps from the least to the largest; empty if not
            asked.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    counts: NDArray[np.float64]
    _ranges: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict, repr=False, compare=False)

    def range(self, how: str, levels: int = 256) -> tuple[float, float]:
        """The range to quantize to ``levels`` steps; 0 is always inside, since padding is 0.

        Args:
            how: ``minmax``; ``percentile``; or ``mse``, the range of least squared error.
            levels: Steps.
        """
        if (how, levels) not in self._ranges:
            self._ranges[how, levels] = self._find_range(how, levels)
        return self._ranges[how, levels]

    def _find_range(self, how: str, levels: int) -> tuple[float, float]:
        low, high = min(float(self.low.min()), 0.0), max(float(self.high.max()), 0.0)
        if how == "minmax" or not self.counts.size or levels > 256:
            return low, high
        edges = np.linspace(float(self.low.min()), float(self.high.max()), BINS + 1)
        if how == "percentile":
            share = np.cumsum(self.counts) / self.counts.sum()
            outside = (100 - PERCENTILE) / 200
            first, last = int(np.searchsorted(share, outside)), int(np.searchsorted(share, 1 - outside)) + 1
            return min(float(edges[first]), 0.0), max(float(edges[min(last, BINS)]), 0.0)
        return _least_error(self.counts, (edges[:-1] + edges[1:]) / 2, low, high, levels)


def _least_error(
    counts: NDArray[np.float64], centers: NDArray[np.float64], low: float, high: float, levels: int
) -> tuple[float, float]:
    """Shrink both ends, each by itself, to where clipping and rounding together cost least."""
    lows = low * (np.linspace(1.0, 0.3, 15) if low < 0 else np.ones(1))
    highs = high * (np.linspace(1.0, 0.3, 29) if high > 0 else np.ones(1))
    first, last = np.searchsorted(centers, lows), np.searchsorted(centers, highs, "right")
    below = np.array([counts[:i] @ (centers[:i] - end) ** 2 for i, end in zip(first, lows, strict=True)])
    above = np.array([counts[i:] @ (centers[i:] - end) ** 2 for i, end in zip(last, highs, strict=True)])
    so_far = np.concatenate((np.zeros(1), np.cumsum(counts)))
    inside = so_far[last] - so_far[first][:, None]
    steps = (highs - lows[:, None]) / (levels - 1)
    errors = np.where(steps == 0, np.inf, below[:, None] + above + inside * steps**2 / 12)
    i, j = np.unravel_index(np.argmin(errors), errors.shape)
    return float(lows[i]), float(highs[j])


def calibrate(
    model: ir.Model, names: Sequence[str], pictures: Sequence[Picture], *, histograms: bool = True
) -> dict[str, ActivationStatistics]:
    """Play pictures and collect statistics of values.

    Args:
        model: The graph; it is not changed.
        names: Of the values.
        pictures: ``uint8 [height, width, 3]``, of the graph's size; a pack plays each of them in each of its styles.
        histograms: Count as well; only ``minmax`` ranges do without. What does not fit in memory is played twice.

    Raises:
        InputError: A value is not finite, or is the same number everywhere; the message names its node.
    """
    if not pictures:
        raise InputError("there are no pictures to calibrate with", do="give pictures.calibrate in the recipe")
    play: Callable[[], Iterator[tuple[str, NDArray[np.float32]]]] = partial(_played, model, names, pictures)
    sizes, plays = _sizes(model), len(pictures) * max(hub.styles(model), 1)
    if histograms and plays * sum(sizes[name] for name in dict.fromkeys(names)) <= MAX_BYTES:
        kept = list(play())
        play = partial(iter, kept)
    extremes: dict[str, list[NDArray[np.float64]]] = {}
    for name, array in play():
        if not np.isfinite(array).all():
            raise InputError(
                f"{_maker(model, name)} gives NaN or infinity on a calibration picture", do="check the model's weights"
            )
        now = _moments(array)
        so_far = extremes.get(name)
        if so_far is None:
            extremes[name] = [*now, np.ones(1)]
        else:
            extremes[name] = [
                np.minimum(so_far[0], now[0]), np.maximum(so_far[1], now[1]), so_far[2] + now[2], so_far[3] + now[3],
                so_far[4] + 1,
            ]  # fmt: skip
    for name, (low, high, *_) in extremes.items():
        if low.min() == high.max():
            raise InputError(
                f"{_maker(model, name)} gives {low.min():g} everywhere on all {len(pictures)} calibration pictures",
                do="give pictures that differ, or check the model's weights",
            )
    counts: dict[str, NDArray[np.float64]] = {}
    for name, array in play() if histograms else ():
        least, most = float(extremes[name][0].min()), float(extremes[name][1].max())
        histogram = np.histogram(array, BINS, (least, most))[0].astype(np.float64)
        counts[name] = counts[name] + histogram if name in counts else histogram
    empty = np.zeros(0)
    return {
        name: ActivationStatistics(low, high, mean / count[0], variance / count[0], counts.get(name, empty))
        for name, (low, high, mean, variance, count) in extremes.items()
    }


def _played(
    model: ir.Model, names: Sequence[str], pictures: Sequence[Picture]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    sizes = _sizes(model)
    group: list[str] = []
    for name in dict.fromkeys(names):
        if group and sum(sizes[n] for n in group) + sizes[name] > MAX_BYTES:
            yield from _play_group(model, group, pictures)
            group = []
        group.append(name)
    if group:
        yield from _play_group(model, group, pictures)


def _sizes(model: ir.Model) -> dict[str, int]:
    """The bytes of every value on one picture."""
    return {str(v.name): math.prod(hub.static_shape(v)) * 4 for v in _values(model)}


def _play_group(
    model: ir.Model, names: Sequence[str], pictures: Sequence[Picture]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    from pocketlens.converters.quantization.simulate import feeds, load_player

    tapped = model.clone()
    values = {str(v.name): v for v in _values(tapped)}
    computed = [n for n in names if not values[n].is_graph_input()]
    tapped.graph.outputs[:] = [values[n] for n in computed]
    play = load_player(tapped) if computed else None
    for feed in feeds(model, pictures):
        yield from ((name, array) for name, array in feed.items() if name in names)
        if play is not None:
            yield from zip(computed, play(feed), strict=True)


def _moments(array: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    """The least number, the largest, the mean and the variance of each channel; a few channels at a time, since
    ``float64`` takes twice as much room as the value.
    """
    rows = np.moveaxis(array, 1, 0).reshape(array.shape[1], -1) if array.ndim > 1 else array.reshape(1, -1)
    step = max(_AT_ONCE // max(rows.shape[1], 1), 1)
    blocks = (rows[start : start + step].astype(np.float64) for start in range(0, len(rows), step))
    found = [(block.min(1), block.max(1), block.mean(1), block.var(1)) for block in blocks]
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _maker(model: ir.Model, name: str) -> str:
    node = next((v.producer() for v in _values(model) if v.name == name), None)
    return f"{node.op_type} {node.name!r}" if node is not None else f"the input {name!r}"


def _values(model: ir.Model) -> Iterator[ir.Value]:
    yield from model.graph.inputs
    for node in model.graph:
        yield from node.outputs
