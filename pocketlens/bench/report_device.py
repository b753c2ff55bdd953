"""The report's view of one device: its table, its plots, and the figures behind them. All text is ready to show."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketlens.bench import statistics
from pocketlens.bench.budget import BudgetVerdict, judged_results, overall
from pocketlens.bench.document import MB, Document
from pocketlens.bench.pareto import Candidate, pareto_front
from pocketlens.bench.plot_latency import Strip, plot_latency
from pocketlens.bench.plot_over_time import plot_over_time
from pocketlens.bench.plot_pareto import plot_tradeoff
from pocketlens.bench.plot_svg import NARROW, WIDE
from pocketlens.bench.report_text import budget_text, decibels, gate_text, milliseconds
from pocketlens.bench.result import CaseResult
from pocketlens.bench.speedup_check import SpeedupCheck, check_speedups
from pocketlens.bundle.manifest import Artifact, Manifest

_MAX_PSNR = 80.0
"""In plots; nobody sees a difference above it."""


@dataclass(frozen=True)
class VerdictMark:
    """A verdict as the page shows it: its word, and the sentence behind it."""

    verdict: str
    text: str


@dataclass(frozen=True)
class ArtifactRow:
    """One line of the main table: an artifact, in a runtime if it was measured in one. All text is ready to show."""

    artifact: str
    runtime: str
    size: str
    psnr: str
    ssim: str
    largest_error: str
    gates: tuple[VerdictMark, ...]
    p50: str
    p95: str
    fps: str
    memory: str
    budgets: tuple[VerdictMark, ...]
    note: str


@dataclass(frozen=True)
class TimingRow:
    """One line of the table behind the plot; ``values`` in the order of :data:`TIMING_COLUMNS`."""

    label: str
    values: tuple[str, ...]


TIMING_COLUMNS = (
    "frames", "fastest", "p50", "p90", "p95", "95 % of p95", "p99", "slowest", "mean", "inference p50", "load", "first",
    "spread", "drift",
)  # fmt: skip


@dataclass(frozen=True)
class ReportPlot:
    """A plot in two widths, and a legend of the numbers in it."""

    narrow: str
    wide: str
    legend: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class DeviceReport:
    """A device on the page: what was measured there, or why nothing was.

    Attributes:
        device: As users write it.
        document: What was measured, or None.
        verdicts: The budget's, on that document.
        error: Why there is no document.
    """

    device: str
    document: Document | None
    verdicts: Sequence[BudgetVerdict] = ()
    error: str = ""


@dataclass(frozen=True)
class DeviceView:
    """A device's report as the template takes it."""

    document: Document | None
    rows: list[ArtifactRow]
    timings: list[TimingRow]
    latency: dict[str, str]
    tradeoff: ReportPlot | None
    over_time: ReportPlot | None


def device_view(manifest: Manifest, report: DeviceReport) -> DeviceView:
    """A device's report as the template takes it."""
    document, verdicts = report.document, report.verdicts
    timed = [result for result in document.results if result.blocks] if document else []
    return DeviceView(
        document=document,
        rows=_artifact_rows(manifest, document, verdicts),
        timings=[_timing_row(result) for result in timed],
        latency=_latency_plots(timed, verdicts),
        tradeoff=_tradeoff(manifest, document, verdicts) if document else None,
        over_time=_over_time(document, verdicts) if document and timed else None,
    )


def device_row(report: DeviceReport) -> tuple[str, ...]:
    """A line of the table of devices: device, processor, system, verdict, fastest case, notes."""
    if report.document is None:
        return report.device, "–", "–", "fail", "–", report.error
    environment, results = report.document.environment, judged_results(report.document)
    timed = [(statistics.summarize(result.blocks).p95, result.label) for result in results if result.blocks]
    failed = [result for result in results if result.failure]
    notes = [
        "emulated: its times say nothing about a real device" if environment.emulated else "",
        f"slowed down: {environment.throttled}" if environment.throttled else "",
        environment.disturbed,
        f"{len(failed)} of {len(results)} failed" if failed else "",
    ]
    verdict = "fail" if failed else overall(report.verdicts)
    best = min(timed, default=None)
    fastest = f"{best[1]}, p95 {milliseconds(best[0])} ms" if best else "–"
    return report.device, environment.host.cpu, environment.host.os, verdict, fastest, "; ".join(filter(None, notes))


def _artifact_rows(
    manifest: Manifest, document: Document | None, verdicts: Sequence[BudgetVerdict]
) -> list[ArtifactRow]:
    checks = check_speedups(document) if document else []
    speedups = {(check.artifact, check.runtime, check.setting): check for check in checks}
    results = judged_results(document) if document else ()
    rows = []
    for artifact in manifest.artifacts:
        if document is None:
            of_artifact = [verdict for verdict in verdicts if verdict.artifact == artifact.id]
            rows.append(_artifact_row(artifact, None, of_artifact, None))
        for result in results:
            if result.artifact.id == artifact.id:
                of_case = [v for v in verdicts if v.artifact == artifact.id and v.label == result.label]
                speedup = speedups.get((artifact.id, result.runtime.name, result.requested.text))
                rows.append(_artifact_row(artifact, result, of_case, speedup))
    return rows


def _artifact_row(
    artifact: Artifact, result: CaseResult | None, verdicts: list[BudgetVerdict], speedup: SpeedupCheck | None
) -> ArtifactRow:
    scores, times = artifact.scores, statistics.summarize(result.blocks) if result and result.blocks else None
    return ArtifactRow(
        artifact=artifact.id,
        runtime=result.label.partition(" in ")[2] if result else "",
        size=f"{artifact.bytes / MB:.2f} MB",
        psnr=decibels(scores.psnr),
        ssim=f"{scores.ssim:.4f}",
        largest_error=f"{scores.largest_error:.1f}",
        gates=tuple(VerdictMark(gate.verdict, gate_text(gate)) for gate in artifact.gates),
        p50=milliseconds(times.p50) if times else "–",
        p95=milliseconds(times.p95) if times else "–",
        fps=f"{times.fps:.0f}" if times else "–",
        memory=f"{result.memory.added_mb:.0f} MB" if result and result.memory else "–",
        budgets=tuple(VerdictMark(verdict.verdict, budget_text(verdict)) for verdict in verdicts),
        note="; ".join(
            filter(None, (artifact.note, _note(result), speedup.reason if speedup and not speedup.faster else ""))
        ),
    )


def _note(result: CaseResult | None) -> str:
    if result is None:
        return "not measured"
    if result.runtime.interpreted:
        return f"not timed: {result.runtime.name} interprets the artifact to check it; its speed would mean nothing"
    if result.failure or result.skipped:
        return str(result.failure or result.skipped)
    if result.runtime.emulated:
        return "emulated: software stood in for the accelerator, its times say nothing of it"
    if result.timing and not result.timing.warm:
        return "the times did not become stable during the warm-up"
    return ""


def _timing_row(result: CaseResult) -> TimingRow:
    times, timing = statistics.summarize(result.blocks), result.timing
    assert timing is not None, "a result with blocks has its timing"
    low, high = statistics.bootstrap_interval(result.blocks)
    inference = statistics.percentile(statistics.inferences(result.blocks), 50)
    before_interval = (times.fastest, times.p50, times.p90, times.p95)
    after_interval = (times.p99, times.slowest, times.mean, inference, timing.load_ms, timing.first_ms)
    values = (
        str(times.count),
        *map(milliseconds, before_interval),
        f"{milliseconds(low)} – {milliseconds(high)}",
        *map(milliseconds, after_interval),
        f"{times.spread:.1%}",
        f"{times.drift:+.1%}",
    )
    return TimingRow(result.label, values)


def _frame_limit(verdicts: Sequence[BudgetVerdict]) -> float | None:
    return next((verdict.limit for verdict in verdicts if verdict.name == "frame_ms"), None)


def _latency_plots(timed: list[CaseResult], verdicts: Sequence[BudgetVerdict]) -> dict[str, str]:
    if not timed:
        return {}
    strips = [Strip(result.label, statistics.frames(result.blocks)) for result in timed]
    medians = "; ".join(f"{strip.label} {statistics.percentile(strip.samples, 50):.3g} ms" for strip in strips)
    description = f"Frame times of {len(strips)} artifacts. Medians: {medians}. The table below holds every figure."
    limit = _frame_limit(verdicts)
    return {
        name: plot_latency(strips, limit, width, description) for name, width in (("narrow", NARROW), ("wide", WIDE))
    }


def _tradeoff(manifest: Manifest, document: Document, verdicts: Sequence[BudgetVerdict]) -> ReportPlot | None:
    psnrs = {artifact.id: min(artifact.scores.psnr, _MAX_PSNR) for artifact in manifest.artifacts}
    shown = [result for result in judged_results(document) if result.blocks and result.artifact.id in psnrs]
    if len(shown) < 2:
        return None
    candidates = [
        Candidate(result.label, statistics.summarize(result.blocks).p95, psnrs[result.artifact.id]) for result in shown
    ]
    front = pareto_front(candidates)
    legend = tuple(
        (str(number), c.label, milliseconds(c.cost), f"{c.psnr:.1f}", "yes" if c in front else "no")
        for number, c in enumerate(candidates, 1)
    )
    labels = ", ".join(candidate.label for candidate in front)
    description = f"Quality over latency of {len(candidates)} artifacts; on the Pareto front: {labels}."
    limit = _frame_limit(verdicts)
    narrow, wide = (plot_tradeoff(candidates, limit, width, description) for width in (NARROW, WIDE))
    return ReportPlot(narrow, wide, legend)


def _over_time(document: Document, verdicts: Sequence[BudgetVerdict]) -> ReportPlot:
    legend = tuple(
        (
            str(number),
            result.label,
            milliseconds(statistics.percentile(statistics.frames(result.blocks[:1]), 50)),
            milliseconds(statistics.percentile(statistics.frames(result.blocks[-1:]), 50)),
            f"{statistics.drift(result.blocks):+.1%}",
        )
        for number, result in enumerate((result for result in document.results if result.blocks), 1)
    )
    drifts = "; ".join(f"{label} {drift}" for _, label, _, _, drift in legend)
    description = f"Block medians over time of {len(legend)} artifacts: {drifts}."
    limit = _frame_limit(verdicts)
    narrow, wide = (plot_over_time(document, limit, width, description) for width in (NARROW, WIDE))
    return ReportPlot(narrow, wide, legend)
