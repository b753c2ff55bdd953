"""What the report says of one device: its table, its plots, and the figures behind them. All text is ready to show."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketlens.bench import statistics
from pocketlens.bench.budget import BudgetVerdict, judged, overall
from pocketlens.bench.document import MB, CaseResult, Document
from pocketlens.bench.pareto import Candidate, pareto_front
from pocketlens.bench.plot_latency import Strip, plot_latency
from pocketlens.bench.plot_over_time import plot_over_time
from pocketlens.bench.plot_pareto import plot_tradeoff
from pocketlens.bench.speedup_check import SpeedupCheck, check_speedups
from pocketlens.bundle.manifest import Artifact, GateResult, Manifest
from pocketlens.quality import EQUAL_PSNR

NARROW, WIDE = 330, 900
_NAMES = {"frame_ms": "frame time", "size_mb": "size", "memory_mb": "memory"}
_UNITS = {"frame_ms": "ms", "size_mb": "MB", "memory_mb": "MB"}


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
    """One line of the table behind the plot; ``values`` in the order of :data:`FIGURES`."""

    label: str
    values: tuple[str, ...]


FIGURES = (
    "frames", "fastest", "p50", "p90", "p95", "95 % of p95", "p99", "slowest", "mean", "inference p50", "load", "first",
    "spread", "drift",
)  # fmt: skip


@dataclass(frozen=True)
class ReportPlot:
    """A plot in two widths, and what its numbers stand for."""

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
    """A part as the page shows it."""

    document: Document | None
    rows: list[ArtifactRow]
    figures: list[TimingRow]
    latency: dict[str, str]
    tradeoff: ReportPlot | None
    times: ReportPlot | None


def view(manifest: Manifest, part: DeviceReport) -> DeviceView:
    """What the page shows of one device."""
    document, verdicts = part.document, part.verdicts
    timed = [result for result in document.subjects if result.rounds] if document else []
    return DeviceView(
        document=document,
        rows=_rows(manifest, document, verdicts),
        figures=[_figures(result) for result in timed],
        latency=_plots(timed, verdicts),
        tradeoff=_tradeoff(manifest, document, verdicts) if document else None,
        times=_times(document, verdicts) if document and timed else None,
    )


def line(part: DeviceReport) -> tuple[str, ...]:
    """A part in the table of devices: device, processor, system, verdict, fastest subject, what is to be known."""
    if part.document is None:
        return part.device, "–", "–", "fail", "–", part.error
    here, subjects = part.document.environment, judged(part.document)
    timed = [(statistics.summarize(one.rounds).p95, one.label) for one in subjects if one.rounds]
    failed = [one for one in subjects if one.failure]
    told = [
        "emulated: its times say nothing about a real one" if here.emulated else "",
        f"slowed down: {here.throttled}" if here.throttled else "",
        here.disturbed,
        f"{len(failed)} of {len(subjects)} failed" if failed else "",
    ]
    best = min(timed, default=None)
    found = "fail" if failed else overall(part.verdicts)
    fastest = f"{best[1]}, p95 {milliseconds(best[0])} ms" if best else "–"
    return part.device, here.host.cpu, here.host.os, found, fastest, "; ".join(filter(None, told))


def gate_text(gate: GateResult) -> str:
    """A gate in words."""
    name, of = gate.name, f" of {gate.style}" if gate.style else ""
    unit = {"psnr": " dB"}.get(name, "")
    bound = "at most" if name in ("flip", "flicker") else "at least"
    return f"{name if name == 'flicker' else name.upper()}{of} {gate.actual:.4g}{unit} ({bound} {gate.limit:g}{unit})"


def budget_text(one: BudgetVerdict) -> str:
    """A limit of a budget in words."""
    unit = _UNITS[one.name]
    actual = "not known" if one.actual is None else f"{one.actual:.3g} {unit}"
    return f"{_NAMES[one.name]} {actual} (at most {one.limit:.3g} {unit})"


def _rows(manifest: Manifest, document: Document | None, verdicts: Sequence[BudgetVerdict]) -> list[ArtifactRow]:
    found = []
    worth = {(one.artifact, one.runtime, one.setting): one for one in check_speedups(document)} if document else {}
    subjects = judged(document) if document else ()
    for artifact in manifest.artifacts:
        results = [one for one in subjects if one.artifact == artifact.id]
        mine = [one for one in verdicts if one.artifact == artifact.id]
        if document is None:
            found.append(_row(artifact, None, mine, None))
        for one in results:
            own = [of for of in mine if of.label == one.label]
            found.append(_row(artifact, one, own, worth.get((one.artifact, one.runtime, one.setting))))
    return found


def _row(
    artifact: Artifact, result: CaseResult | None, verdicts: list[BudgetVerdict], worth: SpeedupCheck | None
) -> ArtifactRow:
    scores, times = artifact.scores, statistics.summarize(result.rounds) if result and result.rounds else None
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
        budgets=tuple(VerdictMark(one.verdict, budget_text(one)) for one in verdicts),
        note="; ".join(filter(None, (_note(result), "" if worth is None or worth.faster else worth.reason))),
    )


def _note(result: CaseResult | None) -> str:
    if result is None:
        return "not measured"
    if result.interpreted:
        return f"not timed: {result.runtime} interprets the artifact to check it; its speed would mean nothing"
    if result.failure or result.skipped:
        return str(result.failure or result.skipped)
    if result.timing and not result.timing.warm:
        return "the warm-up did not become stable"
    return ""


def _figures(result: CaseResult) -> TimingRow:
    times, timing = statistics.summarize(result.rounds), result.timing
    assert timing is not None, "a result with rounds has its timing"
    low, high = statistics.bootstrap_interval(result.rounds)
    inference = statistics.percentile(statistics.inferences(result.rounds), 50)
    first = (times.fastest, times.p50, times.p90, times.p95)
    rest = (times.p99, times.slowest, times.mean, inference, timing.load_ms, timing.first_ms)
    values = (
        str(times.count),
        *map(milliseconds, first),
        f"{milliseconds(low)} – {milliseconds(high)}",
        *map(milliseconds, rest),
        f"{times.spread:.1%}",
        f"{times.drift:+.1%}",
    )
    return TimingRow(result.label, values)


def _plots(timed: list[CaseResult], verdicts: Sequence[BudgetVerdict]) -> dict[str, str]:
    if not timed:
        return {}
    strips = [Strip(one.label, statistics.frames(one.rounds)) for one in timed]
    limit = next((one.limit for one in verdicts if one.name == "frame_ms"), None)
    medians = "; ".join(f"{strip.label} {statistics.percentile(strip.samples, 50):.3g} ms" for strip in strips)
    description = f"Frame times of {len(strips)} artifacts. Medians: {medians}. The table below holds every figure."
    return {
        name: plot_latency(strips, limit, width, description) for name, width in (("narrow", NARROW), ("wide", WIDE))
    }


def _limit(verdicts: Sequence[BudgetVerdict]) -> float | None:
    return next((one.limit for one in verdicts if one.name == "frame_ms"), None)


def _tradeoff(manifest: Manifest, document: Document, verdicts: Sequence[BudgetVerdict]) -> ReportPlot | None:
    scores = {one.id: min(one.scores.psnr, 80.0) for one in manifest.artifacts}
    able = [one for one in judged(document) if one.rounds and one.artifact in scores]
    if len(able) < 2:
        return None
    found = [Candidate(one.label, statistics.summarize(one.rounds).p95, scores[one.artifact]) for one in able]
    best = pareto_front(found)
    legend = tuple(
        (str(i + 1), one.label, milliseconds(one.cost), f"{one.psnr:.1f}", "yes" if one in best else "no")
        for i, one in enumerate(found)
    )
    text = f"Quality over latency of {len(found)} artifacts; not beaten: {', '.join(one.label for one in best)}."
    narrow, wide = (plot_tradeoff(found, _limit(verdicts), width, text) for width in (NARROW, WIDE))
    return ReportPlot(narrow, wide, legend)


def _times(document: Document, verdicts: Sequence[BudgetVerdict]) -> ReportPlot:
    legend = tuple(
        (str(i + 1), one.label, milliseconds(float(statistics.percentile(statistics.frames(one.rounds[:1]), 50))),
         milliseconds(float(statistics.percentile(statistics.frames(one.rounds[-1:]), 50))),
         f"{statistics.drift(one.rounds):+.1%}")
        for i, one in enumerate(result for result in document.subjects if result.rounds)
    )  # fmt: skip
    text = f"Block medians over time of {len(legend)} artifacts: " + "; ".join(f"{r[1]} {r[4]}" for r in legend) + "."
    narrow, wide = (plot_over_time(document, _limit(verdicts), width, text) for width in (NARROW, WIDE))
    return ReportPlot(narrow, wide, legend)


def decibels(value: float) -> str:
    """A PSNR in words."""
    return "equal" if value >= EQUAL_PSNR else f"{value:.1f} dB"


def milliseconds(value: float) -> str:
    """A time, without its unit."""
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"
