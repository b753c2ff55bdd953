"""What a search for a plan found: points of time and picture, the non-dominated ones, and which of them ships."""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pocketlens.bench.pareto import Candidate, pareto_front
from pocketlens.bundle import typed
from pocketlens.bundle.manifest import GateResult, verdict
from pocketlens.converters.quantization.plan import Plan, fallback_sentence
from pocketlens.converters.quantization.sensitivity import LayerSensitivity
from pocketlens.converters.quantization.settings import SettingTrial
from pocketlens.quality import Scores

CostUnit = Literal["ms", "bytes", "convs"]
ALIKE = 1.01
"""Times within this factor count as the same: then the smaller file is the cheaper one."""


@dataclass(frozen=True)
class ParetoPoint:
    """One plan, as a real artifact.

    Attributes:
        plan: How the artifact is quantized.
        kept: Convolutions that it keeps, beyond what was asked for.
        of: Convolutions that the plan to begin with quantizes.
        setting: What they are kept in: ``float``, or ``int8-a16``.
        expected: PSNR in dB that the fast pass expected of it; None for the plan that was asked for.
        scores: The worst over the evaluation pictures; None where the file was wrong.
        flicker: Of the clip, of 255; None where none was played.
        gates: The limits, with verdicts.
        bytes: Size of its files.
        ms: Median frame time; None where nothing was timed.
        note: Why there is no artifact, or why it was not timed; or empty.
    """

    plan: Plan
    kept: int
    of: int
    setting: str
    expected: float | None = None
    scores: Scores | None = None
    flicker: float | None = None
    gates: tuple[GateResult, ...] = ()
    bytes: int = 0
    ms: float | None = None
    note: str = ""

    @property
    def passes(self) -> bool:
        """Whether there is an artifact and every limit holds."""
        return self.scores is not None and verdict(self.gates) == "pass"

    @property
    def name(self) -> str:
        """In words, for a table."""
        return "as asked" if not self.kept else f"{self.kept} of {self.of} in {self.setting}"


@dataclass(frozen=True)
class ParetoFront:
    """The search of one target and precision.

    Attributes:
        target: The target.
        precision: The precision.
        size: Height and width in pixels.
        limits: The gate, in words.
        runtime: That played and timed it.
        device: Where it was timed; empty if it was not.
        time: When, UTC, ISO 8601.
        disturbed: What else the device was doing, if it was doing too much.
        baseline_ms: Median frame time of the file that ``fp32`` would ship, played in the same turns.
        baseline_bytes: Its size.
        layers: What the fast pass found of each layer, in the order in which they are kept.
        points: What was built, the plan that was asked for first.
        chosen: The place of the point that ships; None where none passes.
        seconds: That the search took.
        settings: What equalization, ranges and bias correction gained on the calibration pictures.
    """

    target: str
    precision: str
    size: tuple[int, int]
    limits: str
    points: tuple[ParetoPoint, ...]
    layers: tuple[LayerSensitivity, ...] = ()
    runtime: str = ""
    device: str = ""
    time: str = ""
    disturbed: str = ""
    baseline_ms: float | None = None
    baseline_bytes: int | None = None
    chosen: int | None = None
    seconds: float = 0.0
    settings: tuple[SettingTrial, ...] = ()

    @property
    def id(self) -> str:
        """Target, precision and size, as artifacts are named."""
        return f"{self.target}-{self.precision}-{self.size[0]}x{self.size[1]}"

    @property
    def ships(self) -> ParetoPoint | None:
        """The point that ships."""
        return None if self.chosen is None else self.points[self.chosen]

    @property
    def timed(self) -> bool:
        """Whether there are times."""
        return any(point.ms is not None for point in self.points)

    @property
    def non_dominated(self) -> tuple[int, ...]:
        """The places of the points that no other one beats in both cost and PSNR, cheapest first."""
        able = [i for i, point in enumerate(self.points) if point.scores and (point.ms is not None or not self.timed)]
        candidates = pareto_front([Candidate(str(i), self.cost(i), self._psnr(i)) for i in able])
        return tuple(int(candidate.label) for candidate in candidates)

    @property
    def text(self) -> str:
        """What was found, in a sentence or two."""
        first, ships = self.points[0], self.ships
        if ships is None:
            best = max((i for i, p in enumerate(self.points) if p.scores), key=self._psnr, default=None)
            reached = (
                "" if best is None else f": the best, {self.says(best)}, reaches {self._reached(self.points[best])}"
            )
            return f"{self.id} is refused: none of {len(self.points)} plans reaches {self.limits}{reached}"
        said = f"{self.id} as asked passes" if ships is first else f"{self.id}: {self.says(self.points.index(ships))}"
        if self.baseline_ms is not None and ships.ms is not None:
            faster = self.baseline_ms / ships.ms
            said += f"; {ships.ms:.1f} ms, fp32 {self.baseline_ms:.1f} ms = {faster:.2f} times"
            if not any(p.passes and p.ms is not None and p.ms * ALIKE < self.baseline_ms for p in self.points):
                said += ": low-bit weights and activations are not faster here, so the smallest that passes ships"
        return said

    def says(self, index: int) -> str:
        """What the plan at a place costs and gains against the one that was asked for."""
        point, first = self.points[index], self.points[0]
        if not point.kept:
            return "every layer as asked"
        if first.scores is None:
            return f"{point.kept} of {point.of} convs in {point.setting}: as asked the file is wrong"
        gained = self._psnr(index) - self._psnr(0)
        cost = None if point.ms is None or first.ms is None else point.ms - first.ms
        return fallback_sentence(point.kept, point.of, gained, cost, point.setting)

    def _reached(self, point: ParetoPoint) -> str:
        assert point.scores is not None
        return f"{point.scores.psnr:.1f} dB and SSIM {point.scores.ssim:.4f}"

    @property
    def cost_unit(self) -> CostUnit:
        """What a plan costs in. Without times the bytes of its files, or the convolutions that it keeps where those are
        kept in 16 bits: their weights take the same bytes.
        """
        if self.timed:
            return "ms"
        return "bytes" if any(point.setting == "float" for point in self.points) else "convs"

    def cost(self, index: int) -> float:
        """What the plan at a place costs, in :attr:`cost_unit`."""
        point = self.points[index]
        costs = {"ms": point.ms, "bytes": point.bytes, "convs": point.kept}
        return float(costs[self.cost_unit] or 0)

    def _psnr(self, index: int) -> float:
        scores = self.points[index].scores
        return scores.psnr if scores else 0.0

    def to_json(self) -> str:
        """As text; :func:`parse` reads it back."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def choose(front: ParetoFront) -> int | None:
    """The cheapest point that passes: the fastest, or where none is faster than ``fp32`` the smallest, or where all are
    of one size the one that keeps the fewest layers.

    Fewer bits buy speed or size. Where they buy no speed, because the processor has no products of bytes, a plan that
    codes next to nothing would be the fastest and would not be worth its name.
    """
    passing = [i for i, point in enumerate(front.points) if point.passes]
    if not passing:
        return None
    timed = [(i, ms) for i in passing if (ms := front.points[i].ms) is not None]
    if front.baseline_ms is not None:
        timed = [(i, ms) for i, ms in timed if ms * ALIKE < front.baseline_ms]
    if timed:
        fastest = min(ms for _, ms in timed)
        passing = [i for i, ms in timed if ms <= fastest * ALIKE]
    if front.cost_unit == "convs":
        return min(passing, key=front.cost)
    return min(passing, key=lambda i: (front.points[i].bytes, front.points[i].kept))


def parse(text: str) -> ParetoFront:
    """Read what :meth:`ParetoFront.to_json` wrote."""
    return typed.build(ParetoFront, typed.parse(text, "front"), "front")


def to_json(fronts: Iterable[ParetoFront]) -> str:
    """The fronts of every artifact that was searched for, as one document: id → front."""
    documents = {
        front.id: dataclasses.asdict(front) | {"text": front.text, "non_dominated": front.non_dominated}
        for front in fronts
    }
    return json.dumps(documents, indent=2, sort_keys=True) + "\n"
