"""Whether an artifact in fewer bits is worth shipping: it loses something of the picture, so it has to be faster."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pocketlens.bench import statistics
from pocketlens.bench.document import CaseResult, Document
from pocketlens.precisions import PRECISIONS

_RANK = 50


@dataclass(frozen=True)
class SpeedupCheck:
    """An artifact in fewer bits beside its float twin, measured in turns on one machine.

    Attributes:
        artifact: The artifact's id.
        runtime: Where both were measured.
        twin: The id of the fastest float artifact of the same target and size.
        ms: Median frame time.
        twin_ms: The twin's.
        faster: Whether the 95 % confidence intervals of the medians lie apart, the artifact's below.
        setting: What both were asked to play with, in words.
    """

    artifact: str
    runtime: str
    twin: str
    ms: float
    twin_ms: float
    faster: bool
    setting: str = ""

    @property
    def reason(self) -> str:
        """One sentence for people."""
        figures = f"{self.ms:.3g} ms a frame, {self.twin} {self.twin_ms:.3g} ms"
        return f"faster than its float twin: {figures}" if self.faster else f"not worth shipping: {figures}"


def check_speedups(document: Document) -> list[SpeedupCheck]:
    """Compare each timed artifact that is coded in fewer bits with its float twin; those without one are left out."""
    timed = [result for result in document.subjects if result.rounds and not result.interpreted]
    found = []
    for result in timed:
        if _is_float(result):
            continue
        twins = [o for o in timed if _is_float(o) and _key(o) == _key(result)]
        if not twins:
            continue
        twin = min(twins, key=_median)
        high = statistics.bootstrap_interval(result.rounds, _RANK)[1]
        low = statistics.bootstrap_interval(twin.rounds, _RANK)[0]
        names, times = (result.artifact, result.runtime, twin.artifact), (_median(result), _median(twin))
        found.append(SpeedupCheck(*names, *times, high < low, result.setting))
    return found


def to_json(judged: Sequence[SpeedupCheck]) -> str:
    """As ``measurements/worth.json`` holds it."""
    return json.dumps({"worth": [asdict(one) | {"reason": one.reason} for one in judged]}, indent=2) + "\n"


def _is_float(result: CaseResult) -> bool:
    about = PRECISIONS.get(result.precision)
    return about is None or about.quantizes == "nothing"


def _key(result: CaseResult) -> tuple[object, ...]:
    return result.target, result.size, result.runtime, result.setting


def _median(result: CaseResult) -> float:
    return statistics.percentile(statistics.frames(result.rounds), _RANK)
