"""What trying rewrites on a target gave, and when one of them is kept."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pocketlens.bench.document import Environment
from pocketlens.bench.result import CaseResult
from pocketlens.bench.statistics import frames, paired_ratio, percentile
from pocketlens.bundle import typed

LEAST_GAIN = 1.01
"""A rewrite must be so many times faster to be kept: less is not worth a graph that is harder to read."""
LEAST_PAIRS = 3
"""Rounds that both must have been played in; fewer tell nothing of the spread."""


@dataclass(frozen=True)
class RewriteTrial:
    """One set of rewrites against the set that was the best so far.

    Attributes:
        target: The target.
        rewrite: What was added, names joined by ``+``.
        names: The whole set that was tried, in order.
        before_ms: Median time of a frame without it; None where nothing was measured.
        after_ms: With it.
        ratio: How many times faster: the median over pairs of neighbouring rounds, and of processes.
        low: The 95 % intervals of all pairs of processes begin here.
        high: And end here.
        kept: Whether it became the best so far: the whole interval lies above 1, and the ratio reaches 1.01.
        note: Why nothing was measured, or empty.
    """

    target: str
    rewrite: str
    names: tuple[str, ...]
    before_ms: float | None = None
    after_ms: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    kept: bool = False
    note: str = ""


@dataclass(frozen=True)
class RewriteChoice:
    """The rewrites that are kept on a target.

    Attributes:
        target: The target.
        names: What is kept, in order.
        device: Where it was measured; empty if it was not, and ``names`` are the target's defaults.
        time: When, UTC, ISO 8601.
        cpu: Of the device.
        disturbed: What else the device was doing, if it was doing too much.
        trials: Everything that was tried, in order.
    """

    target: str
    names: tuple[str, ...]
    device: str = ""
    time: str = ""
    cpu: str = ""
    disturbed: str = ""
    trials: tuple[RewriteTrial, ...] = ()

    def to_json(self) -> str:
        """The choice as text; :func:`parse` reads it back."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def seen(self, environment: Environment) -> "RewriteChoice":
        """The same, measured in an environment; what disturbed an earlier part stays."""
        return dataclasses.replace(
            self,
            device=environment.device,
            time=self.time or environment.time,
            cpu=environment.host.cpu,
            disturbed=self.disturbed or environment.disturbed,
        )


def parse(text: str) -> RewriteChoice:
    """Read what :meth:`RewriteChoice.to_json` wrote."""
    return typed.build(RewriteChoice, typed.parse(text, "choice"), "choice")


def to_json(choices: Iterable[RewriteChoice]) -> str:
    """The choices of every target as one document: target → choice."""
    return (
        json.dumps({choice.target: dataclasses.asdict(choice) for choice in choices}, indent=2, sort_keys=True) + "\n"
    )


def compare(
    target: str, rewrite: str, names: tuple[str, ...], before: Sequence[CaseResult], after: Sequence[CaseResult]
) -> RewriteTrial:
    """Compare two artifacts that were measured in turns, each in several processes.

    The same file in another process can be faster or slower for good: memory lies elsewhere, threads sit on other
    cores. So each process of the one is compared with each of the other, and the interval spans all of theirs.
    """
    for result in (*before, *after):
        if why := result.skipped or result.failure:
            return RewriteTrial(target, rewrite, names, note=why)
    if min(len(result.blocks) for result in (*before, *after)) < LEAST_PAIRS:
        return RewriteTrial(target, rewrite, names, note="too few rounds")
    ratios, lows, highs = zip(*(paired_ratio(a.blocks, b.blocks) for a in before for b in after), strict=True)
    times = [float(np.median([percentile(frames(r.blocks), 50) for r in results])) for results in (before, after)]
    ratio, low, high = float(np.median(ratios)), min(lows), max(highs)
    kept = low > 1 and ratio >= LEAST_GAIN
    return RewriteTrial(target, rewrite, names, times[0], times[1], ratio, low, high, kept)
