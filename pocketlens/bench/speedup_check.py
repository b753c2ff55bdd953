"""Whether a low-bit artifact pays: it loses quality, so it has to be faster than the float artifact."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from pocketlens.bench import statistics
from pocketlens.bench.document import Document
from pocketlens.bench.result import CaseResult
from pocketlens.bundle import typed
from pocketlens.precisions import PRECISIONS

_MEDIAN = 50
_SURELY = 1.05
"""An artifact whose interval lies so many times above its baseline's is slower; less may be another day's weather."""


@dataclass(frozen=True)
class SpeedupCheck:
    """A low-bit artifact beside its float baseline, measured in turns on one machine.

    Attributes:
        artifact: The artifact's id.
        runtime: Where both were measured.
        baseline: The id of the fastest float artifact of the same target and size.
        ms: Median frame time of the artifact.
        baseline_ms: Median frame time of the baseline.
        faster: Whether the 95 % confidence intervals of the medians lie apart, the artifact's below.
        slower: Whether they lie apart by more than 5 %, the artifact's above.
        setting: How both were requested to play, in words.
    """

    artifact: str
    runtime: str
    baseline: str = field(metadata=typed.key("twin"))
    ms: float
    baseline_ms: float = field(metadata=typed.key("twin_ms"))
    faster: bool
    slower: bool = False
    setting: str = ""

    @property
    def speed(self) -> float:
        """How many times as fast as the baseline the artifact is."""
        return self.baseline_ms / self.ms

    @property
    def reason(self) -> str:
        """One sentence for people."""
        figures = (
            f"{self.speed:.2g} times as fast as {self.baseline}: {self.ms:.3g} ms a frame beside {self.baseline_ms:.3g}"
        )
        return f"pays here: {figures}" if self.faster else f"does not pay here: {figures}"


def check_speedups(document: Document) -> list[SpeedupCheck]:
    """Compare each timed low-bit artifact with its float baseline; those without a baseline are left out."""
    timed = [r for r in document.results if r.blocks and not (r.runtime.interpreted or r.runtime.emulated)]
    checks = []
    for result in timed:
        if not _is_low_bit(result):
            continue
        baselines = [other for other in timed if not _is_low_bit(other) and _key(other) == _key(result)]
        if not baselines:
            continue
        baseline = min(baselines, key=_median_ms)
        interval, other = (statistics.bootstrap_interval(r.blocks, _MEDIAN) for r in (result, baseline))
        checks.append(
            SpeedupCheck(
                artifact=result.artifact.id,
                runtime=result.runtime.name,
                baseline=baseline.artifact.id,
                ms=_median_ms(result),
                baseline_ms=_median_ms(baseline),
                faster=interval[1] < other[0],
                slower=interval[0] > _SURELY * other[1],
                setting=result.requested.text,
            )
        )
    return checks


def unpaid(document: Document) -> dict[str, str]:
    """Artifacts of integer arithmetic that were slower than their float baseline wherever both were timed: id → reason.

    Artifacts of quantized weights alone are not among them: they are there because they are small.
    """
    checks: dict[str, list[SpeedupCheck]] = {}
    for check in check_speedups(document):
        checks.setdefault(check.artifact, []).append(check)
    integers = {
        result.artifact.id
        for result in document.results
        if result.artifact.precision in PRECISIONS and PRECISIONS[result.artifact.precision].quantizes == "activations"
    }
    return {
        artifact: max(own, key=lambda check: check.speed).reason
        for artifact, own in checks.items()
        if artifact in integers and all(check.slower for check in own)
    }


def to_json(checks: Sequence[SpeedupCheck]) -> str:
    """As ``measurements/worth.json`` holds it."""
    return json.dumps({"worth": [typed.plain(check) | {"reason": check.reason} for check in checks]}, indent=2) + "\n"


def _is_low_bit(result: CaseResult) -> bool:
    precision = PRECISIONS.get(result.artifact.precision)
    return precision is not None and precision.is_low_bit


def _key(result: CaseResult) -> tuple[object, ...]:
    """Only cases with equal keys are compared."""
    return result.artifact.target, result.artifact.size, result.runtime.name, result.requested


def _median_ms(result: CaseResult) -> float:
    return statistics.percentile(statistics.frames(result.blocks), _MEDIAN)
