"""The Pareto front of quality and cost: the candidates that no other one dominates."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """One way to ship a filter: an artifact in a runtime, or a quantization plan.

    Attributes:
        label: The name that plots and tables show.
        cost: What it costs, in one unit for all candidates: ms of frame time, MB of size.
        psnr: Against the teacher, in dB. Callers cut it off at 80 dB, where nobody sees a difference any more.
    """

    label: str
    cost: float
    psnr: float


def pareto_front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The non-dominated candidates, cheapest first: none is both cheaper and closer to the teacher than one of these.

    Example:
        >>> a, b, c = Candidate("a", 10, 30), Candidate("b", 20, 40), Candidate("c", 25, 35)
        >>> [candidate.label for candidate in pareto_front([c, b, a])]
        ['a', 'b']
    """
    front: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (c.cost, -c.psnr)):
        if not front or candidate.psnr > front[-1].psnr:
            front.append(candidate)
    return front
