"""Statistics of raw samples, derived whenever a document is read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens.bench.result import Block

Samples = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 1000
MIN_RESAMPLES, MAX_DRAWS = 200, 100_000_000
"""The least number of resamples, and the frames that are drawn in all of them together above which they are fewer."""
MIN_BLOCKS = 5
"""From so many blocks on, the bootstrap draws whole blocks."""


@dataclass(frozen=True)
class Summary:
    """Figures of one case's samples, in ms except ``count``, ``fps`` and the two shares.

    Attributes:
        mad: Median absolute deviation from the median.
        fps: Frames a second at the median.
        spread: ``1.4826 * mad / p50``: the deviation of a typical frame, as a share (0.1 is 10 %).
        drift: Median of the second half's blocks over that of the first half's, less one.
    """

    count: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    fastest: float
    slowest: float
    mad: float
    fps: float
    spread: float
    drift: float


def frames(blocks: Sequence[Block]) -> Samples:
    """All frame times of some blocks, in ms, in the order in which they were played."""
    return np.concatenate([np.asarray(block.frame_ms, np.float64) for block in blocks])


def inferences(blocks: Sequence[Block]) -> Samples:
    """All inference times of some blocks, in ms: the frame times less the handling of pictures."""
    return np.concatenate([np.asarray(block.inference_ms, np.float64) for block in blocks])


def percentile(samples: Samples, rank: float) -> float:
    """The value that ``rank`` percent of the samples do not exceed, interpolated linearly.

    Example:
        >>> percentile(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 95)
        4.8
    """
    return float(np.percentile(samples, rank))


def summarize(blocks: Sequence[Block]) -> Summary:
    """The figures of a case.

    Args:
        blocks: At least one.
    """
    samples = frames(blocks)
    p50, p90, p95, p99 = (percentile(samples, rank) for rank in (50, 90, 95, 99))
    mad = float(np.median(np.abs(samples - p50)))
    return Summary(
        count=len(samples),
        mean=float(samples.mean()),
        p50=p50,
        p90=p90,
        p95=p95,
        p99=p99,
        fastest=float(samples.min()),
        slowest=float(samples.max()),
        mad=mad,
        fps=1000 / p50,
        spread=1.4826 * mad / p50,
        drift=drift(blocks),
    )


def halves(blocks: Sequence[Block]) -> tuple[Samples, Samples]:
    """The samples of the first and of the second half of the blocks; of a single block, of its samples."""
    if len(blocks) < 2:
        samples = frames(blocks)
        middle = max(1, len(samples) // 2)
        return samples[:middle], samples[middle:] if len(samples) > 1 else samples
    middle = len(blocks) // 2
    return frames(blocks[:middle]), frames(blocks[middle:])


def drift(blocks: Sequence[Block]) -> float:
    """How much slower the second half is, as a share; the median over each half's block medians.

    A half counts block by block, so that a slow machine, which gets fewer frames into a block, is not outvoted by its
    own fast blocks.
    """
    medians = [float(np.median(block.frame_ms)) for block in blocks]
    if len(medians) < 2:
        first, second = halves(blocks)
        return float(np.median(second) / np.median(first) - 1)
    middle = len(medians) // 2
    return float(np.median(medians[middle:]) / np.median(medians[:middle]) - 1)


def bootstrap_interval(blocks: Sequence[Block], rank: float = 95, seed: int = 0) -> tuple[float, float]:
    """A confidence interval of a percentile of the frame time, in ms (percentile bootstrap, Efron 1979).

    Whole blocks are drawn, not single frames: what slows a machine down lasts longer than one frame, so frames of one
    block resemble each other, and drawing them singly would give an interval that is too narrow. With fewer than five
    blocks there is nothing to draw from, and frames are drawn.

    Args:
        blocks: At least one.
        rank: Of the percentile, 0..100.
        seed: The same samples and seed give the same interval.

    Returns:
        The ends of the interval that holds the percentile with a confidence of :data:`CONFIDENCE`.
    """
    estimates = resampled_percentiles(blocks, rank, seed)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(estimates, [tail, 100 - tail])
    return float(low), float(high)


def resampled_percentiles(blocks: Sequence[Block], rank: float, seed: int) -> Samples:
    """A percentile of the frame time, in ms, in each resample of the bootstrap; see :func:`bootstrap_interval`.

    There are :data:`RESAMPLES`, and fewer above :data:`MAX_DRAWS` drawn frames: a long measurement is sure without.
    """
    samples = frames(blocks)
    if len(blocks) < MIN_BLOCKS:
        group_of = np.arange(len(samples))
    else:
        group_of = np.repeat(np.arange(len(blocks)), [len(block.frame_ms) for block in blocks])
    order = np.argsort(samples, kind="stable")
    ranked, group_of = samples[order], group_of[order]
    random, groups = np.random.default_rng(seed), int(group_of.max()) + 1
    estimates = np.empty(min(RESAMPLES, max(MIN_RESAMPLES, MAX_DRAWS // len(samples))))
    for i in range(len(estimates)):
        # Instead of copying and sorting the resample: how often each sample was drawn, in order of size.
        counts = np.bincount(random.integers(0, groups, groups), minlength=groups)[group_of].cumsum()
        place = (counts[-1] - 1) * rank / 100
        below, above = ranked[np.searchsorted(counts, [np.floor(place), np.ceil(place)], side="right")]
        estimates[i] = below + (above - below) * (place - np.floor(place))
    return estimates


def paired_ratio(before: Sequence[Block], after: Sequence[Block], seed: int = 0) -> tuple[float, float, float]:
    """How many times faster ``after`` is than ``before``, of two cases that were played in turns.

    The blocks are compared pair by pair, the medians of two neighbours in time: what slowed the machine down for a
    while slowed both of a pair, and falls out of their ratio. Pairs are drawn for the interval, as whole blocks are in
    :func:`bootstrap_interval`.

    Args:
        before: At least one block.
        after: At least one.
        seed: The same samples and seed give the same interval.

    Returns:
        The median of the ratios, and the ends of the interval that holds it with a confidence of :data:`CONFIDENCE`.

    Example:
        >>> slow, fast = [Block(0.0, (30.0,), (30.0,))] * 6, [Block(0.0, (20.0,), (20.0,))] * 6
        >>> paired_ratio(slow, fast)
        (1.5, 1.5, 1.5)
    """
    ratios = np.array(
        [np.median(a.frame_ms) / np.median(b.frame_ms) for a, b in zip(before, after, strict=False)], np.float64
    )
    resamples = np.random.default_rng(seed).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(np.median(ratios[resamples], axis=1), [tail, 100 - tail])
    return float(np.median(ratios)), float(low), float(high)
