"""The report: one HTML file that needs no network, the verdict first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketlens.bench.budget import BudgetVerdict, PerformanceBudget, overall
from pocketlens.bench.document import Document
from pocketlens.bench.report_device import TIMING_COLUMNS, DeviceReport, VerdictMark, device_row, device_view
from pocketlens.bench.report_pictures import ReportPicture, picture_panel
from pocketlens.bench.report_text import budget_text, gate_text
from pocketlens.bundle.manifest import Manifest
from pocketlens.errors import require
from pocketlens.html_pages import html_template
from pocketlens.placement import notes, table

__all__ = ["DeviceReport", "ReportPicture", "Section", "render", "summary"]

_PAGE = Path(__file__).parent / "templates/report.html.jinja"


@dataclass(frozen=True)
class Section:
    """A section of the page that another room adds: a sentence, and a table. All text is ready to show.

    Attributes:
        title: Its heading.
        text: One or two sentences.
        columns: The heads of the table's columns; empty for no table.
        rows: One cell for each column; the first one names the row.
        plot: An ``<svg>`` of :mod:`pocketlens.bench.plot_pareto` in two widths,
            :data:`~pocketlens.bench.plot_svg.NARROW` and :data:`~pocketlens.bench.plot_svg.WIDE`; or empty.
    """

    title: str
    text: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    plot: tuple[str, str] | tuple[()] = ()


def render(
    manifest: Manifest,
    document: Document | None,
    verdicts: Sequence[BudgetVerdict],
    pictures: Sequence[ReportPicture],
    budget: PerformanceBudget | None = None,
    sections: Sequence[Section] = (),
    others: Sequence[DeviceReport] = (),
) -> str:
    """The report as HTML. The same arguments give the same text.

    Args:
        manifest: What the bundle holds.
        document: What was measured, or None if nothing was.
        verdicts: The budget's, on that document.
        pictures: For each artifact, the judge picture that it is worst at, or a golden picture as devices stylized it.
        budget: Only its preset's name and source are shown.
        sections: Put behind the pictures, in order.
        others: Further devices, in order.

    Raises:
        MissingError: jinja2 or matplotlib is not installed.
    """
    require("matplotlib", "bench")
    reports = [DeviceReport(document.environment.device if document else "", document, verdicts), *others]
    return html_template(_PAGE).render(
        manifest=manifest,
        document=document,
        summary=summary(manifest, [v for report in reports for v in report.verdicts], _not_measured(reports)),
        broken=_broken_limits(manifest, reports),
        views=[device_view(manifest, report) for report in reports if report.document is not None or not others],
        columns=TIMING_COLUMNS,
        devices=[device_row(report) for report in reports] if others else [],
        sections=[*_accelerators(manifest), *sections],
        panels=[picture_panel(picture) for picture in pictures],
        budget=budget,
    )


def _accelerators(manifest: Manifest) -> list[Section]:
    """Which accelerators compute which artifact; nothing where none was asked."""
    placements = {artifact.id: artifact.placements for artifact in manifest.artifacts}
    columns, rows = table(placements)
    if len(columns) == 1:
        return []
    text = " ".join(
        ("Whole means that the accelerator computes every operator.", *(f"{n}." for n in notes(placements)))
    )
    return [Section("Accelerators", text, tuple(columns), tuple(map(tuple, rows)))]


def _on_device(report: DeviceReport, reports: Sequence[DeviceReport]) -> str:
    return f" on {report.device}" if len(reports) > 1 else ""


def _not_measured(reports: Sequence[DeviceReport]) -> list[str]:
    """The devices and cases that failed, one sentence each."""
    unreached = [f"{r.device}: {r.error.removeprefix(r.device).strip()}" for r in reports if r.error]
    return unreached + [
        f"{result.label}{_on_device(report, reports)}: {result.failure}"
        for report in reports
        for result in (report.document.results if report.document else ())
        if result.failure and not report.verdicts
    ]


def summary(manifest: Manifest, verdicts: Sequence[BudgetVerdict], failed: Sequence[str] = ()) -> VerdictMark:
    """The verdict on the whole bundle, its files, gates and budgets together, and the reason for it in one sentence.

    Args:
        manifest: Its gates count.
        verdicts: Of all devices.
        failed: Devices and cases without figures, which hold no budget.
    """
    gates = [gate for artifact in manifest.artifacts for gate in artifact.gates]
    judged = [verdict.verdict for verdict in verdicts if verdict.verdict != "not measured"]
    limits = len(gates) + len(judged)
    if manifest.failed:
        asked = len(manifest.artifacts) + len(manifest.failed)
        return VerdictMark("fail", f"{len(manifest.failed)} of {asked} files could not be made.")
    if failed:
        return VerdictMark("fail", "Not everything could be measured.")
    if limits == 0:
        return VerdictMark("no limits", "Neither gates nor a budget were set, so nothing was judged.")
    held = sum(gate.verdict == "pass" for gate in gates) + judged.count("pass")
    worst = "fail" if manifest.verdict == "fail" else overall(verdicts) if judged else "pass"
    if held == limits:
        return VerdictMark(worst, f"All {limits} limits hold." if limits > 1 else "The one limit holds.")
    return VerdictMark(worst, f"{held} of {limits} limits hold.")


def _broken_limits(manifest: Manifest, reports: Sequence[DeviceReport]) -> list[VerdictMark]:
    """Everything that does not hold, one sentence each."""
    gates = [
        VerdictMark(gate.verdict, f"{artifact.id}: {gate_text(gate)}")
        for artifact in manifest.artifacts
        for gate in artifact.gates
        if gate.verdict != "pass"
    ]
    budgets = [
        VerdictMark(
            verdict.verdict, f"{verdict.label}{_on_device(report, reports)}: {budget_text(verdict)}: {verdict.reason}"
        )
        for report in reports
        for verdict in report.verdicts
        if verdict.verdict in ("fail", "unstable")
    ]
    absent = [f"{failed.id} is not in this bundle: {failed.reason}" for failed in manifest.failed]
    return [*(VerdictMark("fail", sentence) for sentence in (*absent, *_not_measured(reports))), *budgets, *gates]
