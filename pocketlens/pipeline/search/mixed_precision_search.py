"""The fallback: where a low-bit artifact misses the gate, the cheapest set of layers to keep in float is looked for.

A fast pass on the calibration pictures ranks the layers (:mod:`pocketlens.converters.quantization.sensitivity`). The
artifact without any kept says how many dB are lacking, the ranking how many layers bring them; from there real
artifacts are built, verified and scored, a handful, and timed in turns.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pocketlens.bench.case import is_interpreted
from pocketlens.bench.devices.local import Local
from pocketlens.bench.measure import measure
from pocketlens.bench.result import CaseResult
from pocketlens.bench.statistics import frames, percentile
from pocketlens.converters.quantization import sensitivity
from pocketlens.converters.quantization.sensitivity import LayerSensitivity
from pocketlens.converters.verify import score
from pocketlens.errors import MissingError, PocketlensError, VerificationError
from pocketlens.files import artifact_bytes, cached, lookup, sha256
from pocketlens.images import Floats
from pocketlens.pipeline.benchmark_cases import benchmark_case
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.gates import gates_of, limits_of
from pocketlens.pipeline.search.pareto import ParetoFront, ParetoPoint, choose, parse
from pocketlens.pipeline.search.rewrite_search import Timing
from pocketlens.pipeline.stage_key import machine, stage_key
from pocketlens.pipeline.stages.emit import VerifiedArtifact, emit
from pocketlens.pipeline.stages.quantizer import GraphQuantizer
from pocketlens.pipeline.stages.rewrite import rewrite
from pocketlens.pipeline.stages.score_against_original import score_against_original
from pocketlens.progress import Progress, silent
from pocketlens.recipe import Gate
from pocketlens.runtimes.adapter import runtime_for

POINTS = 6
"""Real artifacts that a search builds of one target, with floats as the fallback."""
_SIXTEEN = "int8-a16"


@dataclass(frozen=True)
class SearchSettings:
    """How a plan is looked for.

    Attributes:
        gate: What must hold.
        timing: How artifacts are timed; None not to, so that bytes stand for cost.
        points: Real artifacts that are built.
    """

    gate: Gate
    timing: Timing | None = None
    points: int = POINTS


@dataclass(frozen=True)
class SearchProblem:
    """An artifact that a plan is looked for.

    Attributes:
        evaluation: What it is judged by.
        quantizer: Makes its graphs.
    """

    evaluation: Evaluation
    quantizer: GraphQuantizer


def passes(artifact: VerifiedArtifact, gate: Gate) -> bool:
    """Whether an artifact holds every limit."""
    gates = gates_of(artifact.verification.worst, artifact.verification.flicker, gate)
    return all(limit.verdict == "pass" for limit in gates)


def is_hopeless(evaluation: Evaluation, gate: Gate) -> bool:
    """Whether the generator misses the gate in float already, so that no plan can help: a student that has learnt too
    little.
    """
    if evaluation.original is None:
        return False
    worst = score(evaluation.teacher_outputs, evaluation.expected_outputs)[1]
    return any(limit.verdict == "fail" for limit in gates_of(worst, None, gate))


def search_mixed_precision(problem: SearchProblem, settings: SearchSettings, notify: Progress = silent) -> ParetoFront:
    """Find the cheapest plan of one artifact that passes the gate.

    The answer is kept in the cache with all that it depends on, the machine included where it was timed.

    Raises:
        VerificationError: Every plan that was tried gives a wrong file; the error is that of the plan to begin with.
        InputError: A value cannot be calibrated.
    """
    quantizer, evaluation, timing = problem.quantizer, problem.evaluation, settings.timing
    key = stage_key(
        graph=sha256(quantizer.graph), rewritten=sha256(quantizer.target_graph.path), target=quantizer.spec.target,
        precision=quantizer.spec.precision, plan=quantizer.plan.to_json(), rewrites=quantizer.rewrites,
        pictures=evaluation.eval_set.digest(), gate=settings.gate.model_dump(), points=settings.points,
        original=_digest(evaluation.expected_outputs) if evaluation.original else None,
        source=evaluation.source.key, labels=asdict(evaluation.labels), host=machine() if timing else None,
        timing=[timing.threads, asdict(timing.settings)] if timing else None,
    )  # fmt: skip
    if entry := lookup("pareto", key):
        return parse((entry / "pareto.json").read_text())
    front = _MixedPrecisionSearch(problem, settings, notify).front()
    if not front.disturbed:
        cached("pareto", key, lambda folder: _write(front, folder))
    return front


def _digest(pictures: Sequence[Floats]) -> str:
    return hashlib.sha256(b"".join(picture.tobytes() for picture in pictures)).hexdigest()


def _write(front: ParetoFront, folder: Path) -> None:
    (folder / "pareto.json").write_text(front.to_json())


@dataclass(eq=False)
class _MixedPrecisionSearch:
    """One search while it runs."""

    problem: SearchProblem
    settings: SearchSettings
    notify: Progress
    order: list[LayerSensitivity] = field(default_factory=list)
    points: dict[tuple[int, str], ParetoPoint] = field(default_factory=dict)
    emitted: dict[tuple[int, str], VerifiedArtifact] = field(default_factory=dict)
    first_error: VerificationError | None = None

    @property
    def _kept_in(self) -> str:
        """What the layers that a plan keeps compute in: 16 bits, where the target computes nothing in floats."""
        return _SIXTEEN if self.problem.quantizer.spec.format.quantizers.everywhere else "float"

    def front(self) -> ParetoFront:
        began = time.perf_counter()
        quantizer = self.problem.quantizer
        spec, pictures = quantizer.spec, quantizer.calibration.pictures
        total = self.settings.points + 3
        label = f"{spec.target}-{spec.precision}"
        self.notify(f"{label}: what each layer costs", 0, total)
        self.order = sensitivity.rank_layers(quantizer.float_graph, quantizer.model, quantizer.plan, pictures)
        for kept in self._wanted():
            self.notify(f"{label}: {kept} of {len(self.order)} layers in {self._kept_in}", 1 + len(self.points), total)
            self._try(kept, self._kept_in)
        good = [kept for (kept, _), point in self.points.items() if point.passes and kept]
        if good and spec.precision == "int8" and _SIXTEEN in spec.format.precision_names and self._kept_in != _SIXTEEN:
            self._try(min(good), _SIXTEEN)
        if not self.emitted:
            assert self.first_error is not None
            raise self.first_error
        self.notify(f"{label}: timing {len(self.emitted)} files in turns", total - 1, total)
        front = ParetoFront(
            target=spec.target,
            precision=spec.precision,
            size=spec.size,
            limits=limits_of(self.settings.gate),
            points=tuple(point for _, point in sorted(self.points.items())),
            layers=tuple(self.order),
            runtime=next(iter(self.emitted.values())).verification.runtime_info.runtime,
            settings=quantizer.trials,
        )
        front = self._timed(front) if self.settings.timing else front
        self.notify(f"{label}: searched", total, total)
        return replace(front, chosen=choose(front), seconds=round(time.perf_counter() - began, 1))

    def _wanted(self) -> Iterator[int]:
        """How many layers to keep next, until the least that passes is found or enough was built; then some between."""
        most = len(self.order) - 1
        yield 0
        if most < 1:
            return
        fail, good, kept, budget = 0, most + 1, 0, self.settings.points
        if self.points[0, self._kept_in].passes:
            good = 0
        while len(self.points) < budget and good - fail > 1:
            last = len(self.points) == budget - 1
            kept = most if last and good > most else min(max(self._guess(kept, most), fail + 1), good - 1)
            yield kept
            if self.points[kept, self._kept_in].passes:
                good = kept
            else:
                fail = kept
        between = sorted({most, most // 2, most // 4, 3 * most // 4}, reverse=True)
        for kept in between:
            if len(self.points) < budget and (kept, self._kept_in) not in self.points:
                yield kept

    def _guess(self, kept: int, most: int) -> int:
        """The least number of layers that should reach the gate's PSNR, from what keeping ``kept`` gave.

        Errors add up, so that what keeping some more gains in dB is the same for every picture that spreads its error
        alike. One more than ``kept`` where that says nothing.
        """
        scores, limit = self.points[kept, self._kept_in].scores, self.settings.gate.psnr
        if scores is None or limit is None:
            return kept + 1
        wanted = sensitivity.expected_psnr(self.order, kept) + limit - scores.psnr
        return next((k for k in range(1, most) if sensitivity.expected_psnr(self.order, k) >= wanted), most)

    def _try(self, kept: int, setting: str) -> None:
        """Build, verify and judge one plan."""
        quantizer, evaluation = self.problem.quantizer, self.problem.evaluation
        layers = self.order[:kept]
        plan = sensitivity.keep_layers(quantizer.plan, layers, setting)
        count, total = (sum(len(layer.names) for layer in some) for some in (layers, self.order))
        point = ParetoPoint(
            plan,
            count,
            total,
            setting,
            round(sensitivity.expected_psnr(self.order, kept), 2) if self.order[0].error else None,
        )
        try:
            artifact = emit(evaluation, quantizer.quantize(plan), quantizer.spec)
        except PocketlensError as error:
            if not kept:
                if not isinstance(error, VerificationError):
                    raise
                self.first_error = error
            self.points[kept, setting] = replace(point, note=error.what.splitlines()[0])
            return
        artifact = score_against_original(evaluation, artifact)
        self.emitted[kept, setting] = artifact
        verification = artifact.verification
        self.points[kept, setting] = replace(
            point,
            scores=verification.worst,
            flicker=verification.flicker,
            gates=gates_of(verification.worst, verification.flicker, self.settings.gate),
            bytes=artifact_bytes(artifact.path),
        )

    def _timed(self, front: ParetoFront) -> ParetoFront:
        """Time every artifact, and what ``fp32`` would ship, in turns."""
        quantizer, evaluation, timing = self.problem.quantizer, self.problem.evaluation, self.settings.timing
        assert timing is not None
        try:
            runtime = runtime_for(next(iter(self.emitted.values())).path).name
        except MissingError as error:
            return replace(front, points=tuple(replace(p, note=p.note or error.what) for p in front.points))
        if is_interpreted(runtime):
            return front
        points = {f"{kept} in {setting}": (kept, setting) for kept, setting in sorted(self.emitted)}
        subjects = [
            benchmark_case(evaluation, self.emitted[at], timing.threads, name=name) for name, at in points.items()
        ]
        baseline = None
        with suppress(PocketlensError):
            names = quantizer.rewrites or quantizer.target_graph.rewrites
            float_graph = rewrite(evaluation, quantizer.graph, names, "fp32")
            baseline = emit(evaluation, float_graph, replace(quantizer.spec, precision="fp32"))
            subjects.append(benchmark_case(evaluation, baseline, timing.threads, name="fp32"))
        document = measure(subjects, timing.settings, device=timing.device)
        results = {result.artifact.id: result for result in document.results}
        timed = {points[name]: result for name, result in results.items() if name in points}
        environment = document.environment
        return replace(
            front,
            points=tuple(_with_time(point, timed.get(at)) for at, point in sorted(self.points.items())),
            device=(timing.device or Local()).name,
            time=environment.time,
            disturbed=environment.disturbed,
            baseline_ms=_median(results["fp32"]) if baseline else None,
            baseline_bytes=artifact_bytes(baseline.path) if baseline else None,
        )


def _with_time(point: ParetoPoint, result: CaseResult | None) -> ParetoPoint:
    if result is None:
        return point
    return replace(point, ms=_median(result), note=point.note or str(result.failure or result.skipped or ""))


def _median(result: CaseResult) -> float | None:
    return round(percentile(frames(result.blocks), 50), 3) if result.blocks else None
