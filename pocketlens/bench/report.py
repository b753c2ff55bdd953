"""The report: one HTML file that needs no network, the verdict first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketlens.bench import plot, plot_more, statistics
from pocketlens.bench.budget import Budget, BudgetVerdict, overall
from pocketlens.bench.document import MB, Document, Result
from pocketlens.bench.figures import ReportPicture, data_uri, difference, framed
from pocketlens.bench.worth import Worth, judge_worth
from pocketlens.bundle.manifest import Artifact, Manifest
from pocketlens.errors import require
from pocketlens.quality import EQUAL_PSNR, worst_region

__all__ = ["ReportPicture", "render"]

NARROW, WIDE = 330, 900
_TEMPLATES = Path(__file__).parent / "templates"
_NAMES = {"frame_ms": "frame time", "size_mb": "size", "memory_mb": "memory"}
_UNITS = {"frame_ms": "ms", "size_mb": "MB", "memory_mb": "MB"}


@dataclass(frozen=True)
class Mark:
    """A verdict as the page shows it: its word, and the sentence behind it."""

    verdict: str
    text: str


@dataclass(frozen=True)
class Row:
    """One line of the main table: an artifact, in a runtime if it was measured in one. All text is ready to show."""

    artifact: str
    runtime: str
    size: str
    psnr: str
    ssim: str
    largest_error: str
    gates: tuple[Mark, ...]
    p50: str
    p95: str
    fps: str
    memory: str
    budgets: tuple[Mark, ...]
    note: str


@dataclass(frozen=True)
class Figures:
    """One line of the table behind the plot; ``values`` in the order of :data:`FIGURES`."""

    label: str
    values: tuple[str, ...]


FIGURES = (
    "frames", "fastest", "p50", "p90", "p95", "95 % of p95", "p99", "slowest", "mean", "inference p50", "load", "first",
    "spread", "drift",
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """A part of the page that somebody else adds: a sentence, and a table. All text is ready to show.

    Attributes:
        title: Its heading.
        text: One or two sentences.
        columns: The table's, or none.
        rows: As many cells each as there are columns; the first one names the row.
    """

    title: str
    text: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Panel:
    """The three pictures of an artifact."""

    artifact: str
    label: str
    teacher: str
    stylized: str
    difference: str
    factor: int
    height: int
    width: int
    scores: str
    worst: str


def render(
    manifest: Manifest,
    document: Document | None,
    verdicts: Sequence[BudgetVerdict],
    pictures: Sequence[ReportPicture],
    budget: Budget | None = None,
    sections: Sequence[Section] = (),
    others: Sequence[Document] = (),
) -> str:
    """The report as HTML. The same arguments give the same text.

    Args:
        manifest: What the bundle holds.
        document: What was measured, or None if nothing was.
        verdicts: The budget's, on that document.
        pictures: For each artifact, the judge picture that it is worst at.
        budget: Only its preset's name and source are shown.
        sections: Put behind the pictures, in order.
        others: Documents of other devices, for the table of devices.

    Raises:
        MissingError: jinja2 or matplotlib is not installed.
    """
    require("jinja2", "bench")
    require("matplotlib", "bench")
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    pages = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    timed = [result for result in document.subjects if result.rounds] if document else []
    return pages.get_template("report.html.jinja").render(
        manifest=manifest,
        document=document,
        summary=summary(manifest, verdicts),
        broken=_broken(manifest, verdicts),
        rows=_rows(manifest, document, verdicts),
        columns=FIGURES,
        figures=[_figures(result) for result in timed],
        plots=_plots(timed, verdicts),
        tradeoff=_tradeoff(manifest, timed, verdicts),
        times=_times(document, verdicts) if document and timed else None,
        devices=_devices([document, *others]) if document and others else [],
        sections=sections,
        panels=[_panel(picture) for picture in pictures],
        budget=budget,
    )


def summary(manifest: Manifest, verdicts: Sequence[BudgetVerdict]) -> Mark:
    """The verdict on the whole bundle, gates and budgets together, and what it rests on in one sentence."""
    gates = [gate for artifact in manifest.artifacts for gate in artifact.gates]
    judged = [one.verdict for one in verdicts if one.verdict != "not measured"]
    limits = len(gates) + len(judged)
    if limits == 0:
        return Mark("no limits", "Neither gates nor a budget were set, so nothing was judged.")
    held = sum(gate.verdict == "pass" for gate in gates) + judged.count("pass")
    found = "fail" if manifest.verdict == "fail" else overall(verdicts) if judged else "pass"
    if held == limits:
        return Mark(found, f"All {limits} limits hold." if limits > 1 else "The one limit holds.")
    return Mark(found, f"{held} of {limits} limits hold.")


def _broken(manifest: Manifest, verdicts: Sequence[BudgetVerdict]) -> list[Mark]:
    """What does not hold, one sentence each."""
    gates = [
        Mark(gate.verdict, f"{artifact.id}: {_gate(gate.name, gate.actual, gate.limit)}")
        for artifact in manifest.artifacts
        for gate in artifact.gates
        if gate.verdict != "pass"
    ]
    budgets = [
        Mark(one.verdict, f"{one.artifact} in {one.runtime}: {_budget(one)}: {one.reason}")
        for one in verdicts
        if one.verdict in ("fail", "unstable")
    ]
    return gates + budgets


def _gate(name: str, actual: float, limit: float) -> str:
    unit = {"psnr": " dB"}.get(name, "")
    bound = "at most" if name in ("flip", "flicker") else "at least"
    return f"{name if name == 'flicker' else name.upper()} {actual:.4g}{unit} ({bound} {limit:g}{unit})"


def _budget(one: BudgetVerdict) -> str:
    unit = _UNITS[one.name]
    actual = "not known" if one.actual is None else f"{one.actual:.3g} {unit}"
    return f"{_NAMES[one.name]} {actual} (at most {one.limit:.3g} {unit})"


def _rows(manifest: Manifest, document: Document | None, verdicts: Sequence[BudgetVerdict]) -> list[Row]:
    found = []
    worth = {(one.artifact, one.runtime): one for one in judge_worth(document)} if document else {}
    for artifact in manifest.artifacts:
        results = [one for one in document.subjects if one.artifact == artifact.id] if document else []
        mine = [one for one in verdicts if one.artifact == artifact.id]
        if not results:
            found.append(_row(artifact, None, mine, None))
        for one in results:
            own = [of for of in mine if of.runtime == one.runtime]
            found.append(_row(artifact, one, own, worth.get((one.artifact, one.runtime))))
    return found


def _row(artifact: Artifact, result: Result | None, verdicts: list[BudgetVerdict], worth: Worth | None) -> Row:
    scores, times = artifact.scores, statistics.summarize(result.rounds) if result and result.rounds else None
    return Row(
        artifact=artifact.id,
        runtime=result.runtime if result else "",
        size=f"{artifact.bytes / MB:.2f} MB",
        psnr=_psnr(scores.psnr),
        ssim=f"{scores.ssim:.4f}",
        largest_error=f"{scores.largest_error:.1f}",
        gates=tuple(Mark(gate.verdict, _gate(gate.name, gate.actual, gate.limit)) for gate in artifact.gates),
        p50=_ms(times.p50) if times else "–",
        p95=_ms(times.p95) if times else "–",
        fps=f"{times.fps:.0f}" if times else "–",
        memory=f"{result.memory.added_mb:.0f} MB" if result and result.memory else "–",
        budgets=tuple(Mark(one.verdict, _budget(one)) for one in verdicts),
        note="; ".join(filter(None, (_note(result), "" if worth is None or worth.faster else worth.reason))),
    )


def _note(result: Result | None) -> str:
    if result is None:
        return "not measured"
    if result.interpreted:
        return f"not timed: {result.runtime} interprets the artifact to check it; its speed would mean nothing"
    if result.failure or result.skipped:
        return str(result.failure or result.skipped)
    if result.timing and not result.timing.warm:
        return "the warm-up did not become stable"
    return ""


def _figures(result: Result) -> Figures:
    times, timing = statistics.summarize(result.rounds), result.timing
    assert timing is not None, "a result with rounds has its timing"
    low, high = statistics.bootstrap_interval(result.rounds)
    inference = statistics.percentile(statistics.inferences(result.rounds), 50)
    milliseconds = (times.fastest, times.p50, times.p90, times.p95)
    rest = (times.p99, times.slowest, times.mean, inference, timing.load_ms, timing.first_ms)
    values = (
        str(times.count),
        *map(_ms, milliseconds),
        f"{_ms(low)} – {_ms(high)}",
        *map(_ms, rest),
        f"{times.spread:.1%}",
        f"{times.drift:+.1%}",
    )
    return Figures(result.label, values)


def _plots(timed: list[Result], verdicts: Sequence[BudgetVerdict]) -> dict[str, str]:
    if not timed:
        return {}
    strips = [plot.Strip(one.label, statistics.frames(one.rounds)) for one in timed]
    limit = next((one.limit for one in verdicts if one.name == "frame_ms"), None)
    medians = "; ".join(f"{strip.label} {statistics.percentile(strip.samples, 50):.3g} ms" for strip in strips)
    description = f"Frame times of {len(strips)} artifacts. Medians: {medians}. The table below holds every figure."
    return {
        name: plot.latency(strips, limit, width, description) for name, width in (("narrow", NARROW), ("wide", WIDE))
    }


@dataclass(frozen=True)
class Plot:
    """A plot in two widths, and what its numbers stand for."""

    narrow: str
    wide: str
    legend: tuple[tuple[str, ...], ...]


def _limit(verdicts: Sequence[BudgetVerdict]) -> float | None:
    return next((one.limit for one in verdicts if one.name == "frame_ms"), None)


def _tradeoff(manifest: Manifest, timed: list[Result], verdicts: Sequence[BudgetVerdict]) -> Plot | None:
    scores = {one.id: min(one.scores.psnr, 80.0) for one in manifest.artifacts}
    able = [one for one in timed if one.artifact in scores]
    if len(able) < 2:
        return None
    found = [plot_more.Candidate(one.label, statistics.summarize(one.rounds).p95, scores[one.artifact]) for one in able]
    best = plot_more.front(found)
    legend = tuple(
        (str(i + 1), one.label, _ms(one.frame_ms), f"{one.psnr:.1f}", "yes" if one in best else "no")
        for i, one in enumerate(found)
    )
    text = f"Quality over latency of {len(found)} artifacts; not beaten: {', '.join(one.label for one in best)}."
    narrow, wide = (plot_more.tradeoff(found, _limit(verdicts), width, text) for width in (NARROW, WIDE))
    return Plot(narrow, wide, legend)


def _times(document: Document, verdicts: Sequence[BudgetVerdict]) -> Plot:
    legend = tuple(
        (str(i + 1), one.label, _ms(float(statistics.percentile(statistics.frames(one.rounds[:1]), 50))),
         _ms(float(statistics.percentile(statistics.frames(one.rounds[-1:]), 50))),
         f"{statistics.drift(one.rounds):+.1%}")
        for i, one in enumerate(result for result in document.subjects if result.rounds)
    )  # fmt: skip
    text = f"Block medians over time of {len(legend)} artifacts: " + "; ".join(f"{r[1]} {r[4]}" for r in legend) + "."
    narrow, wide = (plot_more.over_time(document, _limit(verdicts), width, text) for width in (NARROW, WIDE))
    return Plot(narrow, wide, legend)


def _devices(documents: Sequence[Document]) -> list[tuple[str, ...]]:
    """One line a device and subject: device, processor, subject, p50, p95, what is to be known."""
    return [
        (
            one.environment.device,
            one.environment.host.cpu,
            result.label,
            _ms(statistics.summarize(result.rounds).p50) if result.rounds else "–",
            _ms(statistics.summarize(result.rounds).p95) if result.rounds else "–",
            "emulated" if one.environment.emulated else one.environment.throttled or one.environment.disturbed,
        )
        for one in documents
        for result in one.subjects
    ]


def _panel(picture: ReportPicture) -> Panel:
    shown, factor = difference(picture.teacher, picture.artifact)
    scores, region = picture.scores, worst_region(picture.teacher, picture.artifact)
    seen = "" if scores.flip is None else f", FLIP {scores.flip:.4f}"
    return Panel(
        artifact=picture.artifact_id,
        label=picture.label,
        teacher=data_uri(picture.teacher),
        stylized=data_uri(picture.artifact),
        difference=data_uri(framed(shown, region) if region.error else shown),
        factor=factor,
        height=picture.teacher.shape[0],
        width=picture.teacher.shape[1],
        scores=f"PSNR {_psnr(scores.psnr)}, SSIM {scores.ssim:.4f}, largest error {scores.largest_error:.1f} of 255{seen}",
        worst=f"Worst at {region}: {region.error:.1f} of 255 on average" if region.error else "",
    )


def _psnr(value: float) -> str:
    return "equal" if value >= EQUAL_PSNR else f"{value:.1f} dB"


def _ms(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"
