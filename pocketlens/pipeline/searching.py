"""The fallback: where an artifact in fewer bits misses the gate, the cheapest set of layers to keep in float is looked for.

A fast pass on the calibration pictures ranks the layers (:mod:`pocketlens.converters.quantization.sensitivity`). The artifact
without any kept says how many dB are lacking, the ranking how many layers bring them; from there real artifacts are built, verified and
judged, a handful, and timed in turns.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pocketlens.bench.case import INTERPRETED
from pocketlens.bench.devices.local import Local
from pocketlens.bench.document import CaseResult
from pocketlens.bench.measure import measure
from pocketlens.bench.statistics import frames, percentile
from pocketlens.converters.quantization import sensitivity
from pocketlens.converters.quantization.sensitivity import Layer
from pocketlens.converters.rewrites import registry
from pocketlens.converters.verify import score
from pocketlens.errors import MissingError, PocketlensError
from pocketlens.files import artifact_bytes, cached, is_cached, key_of, sha256
from pocketlens.images import Floats, to_uint8
from pocketlens.models.source import Source
from pocketlens.pipeline import stages
from pocketlens.pipeline.choosing import Candidates, Timing
from pocketlens.pipeline.front import Front, Point, choose, parse
from pocketlens.pipeline.gates import gates_of, limits_of
from pocketlens.pipeline.pictures import Judges
from pocketlens.pipeline.quantizing import Workshop
from pocketlens.pipeline.stages import Emitted
from pocketlens.pipeline.subjects import subject_of
from pocketlens.recipe import Gate
from pocketlens.runtimes.adapter import runtime_for
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS

POINTS = 6
"""Real artifacts that a search builds of one target, with floats as the fallback."""
_SIXTEEN = "int8-a16"

Notify = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Search:
    """How a plan is looked for.

    Attributes:
        gate: What must hold.
        timing: How artifacts are timed; None not to, so that bytes stand for cost.
        points: Real artifacts that are built.
        teacher: What the generator learnt from, where it is a student: scores are against that one's pictures.
    """

    gate: Gate
    timing: Timing | None = None
    points: int = POINTS
    teacher: Source | None = None


@dataclass(frozen=True)
class Missed:
    """An artifact that a plan is looked for: its workshop, and what it is judged by.

    Attributes:
        shop: Makes its graphs.
        of: The generator, its graph, the judge pictures and the teacher's.
        clip: The teacher's frames of the judges' clip.
        references: The pictures that scores are against, where the generator is a student: its own teacher's.
    """

    shop: Workshop
    of: Candidates
    clip: Sequence[Floats] = ()
    references: Sequence[Floats] = ()


def passes(emitted: Emitted, gate: Gate) -> bool:
    """Whether an artifact holds every limit."""
    found = gates_of(emitted.verified.worst, emitted.verified.flicker, gate)
    return all(one.verdict == "pass" for one in found)


def judged(emitted: Emitted, judges: Judges, references: Sequence[Floats]) -> Emitted:
    """An artifact with its scores against other pictures than those that it was verified with; as it is without any."""
    if not references:
        return emitted
    with open_artifact(emitted.path) as session:
        outputs = [session.floats(picture) for picture in judges.pictures]
    scores, worst, index = score(outputs, references)
    verified = replace(
        emitted.verified, scores=scores, worst=worst, worst_index=index, worst_picture=to_uint8(outputs[index])
    )
    return replace(emitted, verified=verified)


def is_hopeless(missed: Missed, gate: Gate) -> bool:
    """Whether the generator misses the gate in float already, so that no plan can help: a student that has learnt too little."""
    if not missed.references:
        return False
    worst = score(missed.of.teachers, missed.references)[1]
    return any(one.verdict == "fail" for one in gates_of(worst, None, gate))


def search(missed: Missed, how: Search, notify: Notify = lambda what, done, total: None) -> Front:
    """Find the cheapest plan of one target and precision that passes the gate.

    The answer is kept in the cache with all that it depends on, the machine included where it was timed.

    Raises:
        VerificationError: The plan to begin with gives a wrong file.
        InputError: A value cannot be calibrated.
    """
    shop, of = missed.shop, missed.of
    key = key_of(
        graph=sha256(shop.graph), rewritten=sha256(shop.rewritten.path), target=shop.target, precision=shop.precision,
        start=shop.start.to_json(), names=list(shop.names), judges=of.judges.digest(), gate=how.gate.model_dump(), points=how.points,
        references=_digest(missed.references), code=stages.code(), tools=stages.toolchain(), source=of.source.key,
        host=stages.machine() if how.timing else None, labels=asdict(of.labels),
        timing=[how.timing.threads, asdict(how.timing.settings)] if how.timing else None,
    )  # fmt: skip
    if is_cached("front", key):
        return parse(_stored(key).read_text())
    front = _Hunt(missed, how, notify).front()
    if not front.disturbed:
        cached("front", key, lambda folder: _write(front, folder))
    return front


def _digest(pictures: Sequence[Floats]) -> str:
    return hashlib.sha256(b"".join(picture.tobytes() for picture in pictures)).hexdigest()


def _stored(key: str) -> Path:
    return cached("front", key, lambda folder: None) / "front.json"


def _write(front: Front, folder: Path) -> None:
    (folder / "front.json").write_text(front.to_json())


@dataclass(eq=False)
class _Hunt:
    """One search while it runs."""

    missed: Missed
    how: Search
    notify: Notify
    order: list[Layer] = field(default_factory=list)
    points: dict[tuple[int, str], Point] = field(default_factory=dict)
    emitted: dict[tuple[int, str], Emitted] = field(default_factory=dict)

    def front(self) -> Front:
        began = time.perf_counter()
        shop, pictures = self.missed.shop, self.missed.shop.calibrate.pictures
        total = self.how.points + 3
        label = f"{shop.target}-{shop.precision}"
        self.notify(f"{label}: what each layer costs", 0, total)
        self.order = sensitivity.ranked(shop.floats, shop.model, shop.start, pictures)
        for kept in self._wanted():
            self.notify(f"{label}: {kept} of {len(self.order)} layers in float", 1 + len(self.points), total)
            self._try(kept, "float")
        good = [kept for (kept, _), point in self.points.items() if point.passes and kept]
        if good and shop.precision == "int8" and _SIXTEEN in TARGETS[shop.target].precision_names:
            self._try(min(good), _SIXTEEN)
        self.notify(f"{label}: timing {len(self.emitted)} files in turns", total - 1, total)
        height, width = self.missed.of.judges.pictures[0].shape[:2]
        front = Front(
            target=shop.target,
            precision=shop.precision,
            size=(height, width),
            limits=limits_of(self.how.gate),
            points=tuple(point for _, point in sorted(self.points.items())),
            layers=tuple(self.order),
            runtime=self.emitted[0, "float"].verified.runtime_info.runtime,
            settings=shop.trials,
        )
        front = self._timed(front) if self.how.timing else front
        self.notify(f"{label}: searched", total, total)
        return replace(front, chosen=choose(front), seconds=round(time.perf_counter() - began, 1))

    def _wanted(self) -> Iterator[int]:
        """How many layers to keep next, until the least that passes is found or enough was built; then some between."""
        most = len(self.order) - 1
        yield 0
        if most < 1:
            return
        fail, good, kept, budget = 0, most + 1, 0, self.how.points
        if self.points[0, "float"].passes:
            good = 0
        while len(self.points) < budget and good - fail > 1:
            last = len(self.points) == budget - 1
            kept = most if last and good > most else min(max(self._guess(kept, most), fail + 1), good - 1)
            yield kept
            if self.points[kept, "float"].passes:
                good = kept
            else:
                fail = kept
        between = sorted({most, most // 2, most // 4, 3 * most // 4}, reverse=True)
        for kept in between:
            if len(self.points) < budget and (kept, "float") not in self.points:
                yield kept

    def _guess(self, kept: int, most: int) -> int:
        """The least number of layers that should reach the gate's PSNR, from what keeping ``kept`` gave.

        Errors add up, so that what keeping some more gains in dB is the same for every picture that spreads its error
        alike. One more than ``kept`` where that says nothing.
        """
        scores, limit = self.points[kept, "float"].scores, self.how.gate.psnr
        if scores is None or limit is None:
            return kept + 1
        wanted = sensitivity.expected(self.order, kept) + limit - scores.psnr
        return next((k for k in range(1, most) if sensitivity.expected(self.order, k) >= wanted), most)

    def _try(self, kept: int, setting: str) -> None:
        """Build, verify and judge one plan."""
        shop, of = self.missed.shop, self.missed.of
        layers = self.order[:kept]
        plan = sensitivity.keeping(shop.start, layers, setting)
        count, total = (sum(len(layer.names) for layer in some) for some in (layers, self.order))
        point = Point(
            plan,
            count,
            total,
            setting,
            round(sensitivity.expected(self.order, kept), 2) if self.order[0].error else None,
        )
        try:
            made = shop.made(plan)
            key = stages.artifact_key(made.path, shop.target, shop.precision, of.labels, of.judges, of.source)
            emitted = stages.emit(
                made, shop.target, shop.precision, of.labels, of.judges, of.teachers, key, self.missed.clip
            )
        except PocketlensError as error:
            if not kept:
                raise
            self.points[kept, setting] = replace(point, note=error.what.splitlines()[0])
            return
        emitted = judged(emitted, of.judges, self.missed.references)
        self.emitted[kept, setting] = emitted
        verified = emitted.verified
        self.points[kept, setting] = replace(
            point,
            scores=verified.worst,
            flicker=verified.flicker,
            gates=gates_of(verified.worst, verified.flicker, self.how.gate),
            bytes=artifact_bytes(emitted.path),
        )

    def _timed(self, front: Front) -> Front:
        """Time every artifact, and what ``fp32`` would ship, in turns."""
        shop, of, timing = self.missed.shop, self.missed.of, self.how.timing
        assert timing is not None
        try:
            runtime = runtime_for(self.emitted[0, "float"].path).name
        except MissingError as error:
            return replace(front, points=tuple(replace(p, note=p.note or error.what) for p in front.points))
        if runtime in INTERPRETED:
            return front
        points = {f"{kept} in {setting}": (kept, setting) for kept, setting in sorted(self.emitted)}
        subjects = [
            subject_of(self.emitted[at], of.judges, of.teachers, timing.threads, name) for name, at in points.items()
        ]
        twin = None
        with suppress(PocketlensError):
            names = registry.fitting(shop.names or shop.rewritten.rewrites, "fp32")
            floats = stages.rewritten(shop.graph, names, of.judges, of.teachers)
            key = stages.artifact_key(floats.path, shop.target, "fp32", of.labels, of.judges, of.source)
            twin = stages.emit(floats, shop.target, "fp32", of.labels, of.judges, of.teachers, key)
            subjects.append(subject_of(twin, of.judges, of.teachers, timing.threads, "fp32"))
        document = measure(subjects, timing.settings, device=timing.device)
        results = {result.artifact: result for result in document.subjects}
        timed = {points[name]: result for name, result in results.items() if name in points}
        environment = document.environment
        return replace(
            front,
            points=tuple(_with_time(point, timed.get(at)) for at, point in sorted(self.points.items())),
            device=(timing.device or Local()).name,
            time=environment.time,
            disturbed=environment.disturbed,
            twin_ms=_median(results["fp32"]) if twin else None,
            twin_bytes=artifact_bytes(twin.path) if twin else None,
        )


def _with_time(point: Point, result: CaseResult | None) -> Point:
    if result is None:
        return point
    return replace(point, ms=_median(result), note=point.note or str(result.failure or result.skipped or ""))


def _median(result: CaseResult) -> float | None:
    return round(percentile(frames(result.rounds), 50), 3) if result.rounds else None
