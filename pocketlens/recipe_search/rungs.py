"""When a training is given up: Hyperband's rungs, with a decision for several objectives.

Optuna prunes single-objective studies only: ``Trial.report`` refuses others. A score alone would also end every small
student, whose place on the front is its speed. So students are compared at a rung as multi-objective successive halving
does (Schmucker et al., "Multi-objective Asynchronous Successive Halving", 2021): by non-dominated rank over the score
at this step and the predicted times. Hyperband (Li et al., 2018) adds brackets: some trials begin to be judged later,
for students that are slow to learn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

REDUCTION = 3
"""The share of trials that go on at a rung is one of this many; the next rung is this many times as far."""


@dataclass(frozen=True)
class RungEntry:
    """A trial at a rung.

    Attributes:
        trial: Its number.
        score: SSIM of the worst judge picture after so many steps; higher is better.
        costs: Predicted times and the like; lower is better.
    """

    trial: int
    score: float
    costs: tuple[float, ...]

    def dominates(self, other: "RungEntry") -> bool:
        """Whether it is nowhere worse than another, and somewhere better."""
        no_worse = self.score >= other.score and all(a <= b for a, b in zip(self.costs, other.costs, strict=True))
        return no_worse and (self.score, self.costs) != (other.score, other.costs)


def rungs(number: int, first: int, steps: int, most: int) -> list[int]:
    """The steps after which a trial is judged.

    Args:
        number: The trial's; decides its bracket.
        first: Steps until the earliest rung.
        steps: That the trial trains.
        most: Steps of the longest training of the search.

    Example:
        >>> [rungs(number, 250, 4000, 4000) for number in (0, 1, 2, 3)]
        [[250, 750, 2250], [750, 2250], [2250], [250, 750, 2250]]
        >>> rungs(0, 250, 250, 250)
        []
    """
    every = []
    while first < most:
        every.append(first)
        first *= REDUCTION
    bracket = number % len(every) if every else 0
    return [step for step in every[bracket:] if step < steps]


def goes_on(entry: RungEntry, others: Sequence[RungEntry]) -> bool:
    """Whether a trial is among the best third of those that came to a rung.

    Trials of one front are equals: it goes on if fewer than a third of all are of a better front. The first two always
    do.

    Example:
        >>> slow, quick = RungEntry(0, 0.8, (9.0,)), RungEntry(1, 0.7, (3.0,))
        >>> goes_on(RungEntry(2, 0.6, (4.0,)), [slow, quick]), goes_on(RungEntry(2, 0.6, (2.0,)), [slow, quick])
        (False, True)
    """
    entries, better = [*(other for other in others if other.trial != entry.trial), entry], 0
    if len(entries) < REDUCTION:
        return True
    left = list(entries)
    while True:
        front = [one for one in left if not any(other.dominates(one) for other in left)]
        if entry in front:
            return better < max(1, len(entries) // REDUCTION)
        better += len(front)
        left = [one for one in left if one not in front]
