"""The report: one HTML file that needs no network, the verdict first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketlens.bench.budget import Budget, BudgetVerdict, overall
from pocketlens.bench.document import Document
from pocketlens.bench.report_device import (
    FIGURES,
    DeviceReport,
    VerdictMark,
    budget_text,
    decibels,
    gate_text,
    line,
    view,
)
from pocketlens.bench.report_pictures import ReportPicture, data_uri, difference, framed
from pocketlens.bundle.manifest import Manifest
from pocketlens.errors import require
from pocketlens.quality import worst_region

__all__ = ["DeviceReport", "ReportPicture", "Section", "render", "summary"]

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Section:
    """A part of the page that somebody else adds: a sentence, and a table. All text is ready to show.

    Attributes:
        title: Its heading.
        text: One or two sentences.
        columns: The table's, or none.
        rows: As many cells each as there are columns; the first one names the row.
        plot: An ``<svg>`` of :mod:`pocketlens.bench.plot_pareto` in two widths, :data:`NARROW` and :data:`WIDE`; or empty.
    """

    title: str
    text: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    plot: tuple[str, str] | tuple[()] = ()


@dataclass(frozen=True)
class Panel:
    """The three pictures of an artifact."""

    artifact: str
    label: str
    where: str
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
    others: Sequence[DeviceReport] = (),
) -> str:
    """The report as HTML. The same arguments give the same text.

    Args:
        manifest: What the bundle holds.
        document: What was measured, or None if nothing was.
        verdicts: The budget's, on that document.
        pictures: For each artifact, the judge picture that it is worst at, or what devices made of a golden one.
        budget: Only its preset's name and source are shown.
        sections: Put behind the pictures, in order.
        others: Further devices, in order.

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
    parts = [DeviceReport(document.environment.device if document else "", document, verdicts), *others]
    return pages.get_template("report.html.jinja").render(
        manifest=manifest,
        document=document,
        summary=summary(manifest, [one for part in parts for one in part.verdicts], _failed(parts)),
        broken=_broken(manifest, parts),
        views=[view(manifest, part) for part in parts if part.document is not None or not others],
        columns=FIGURES,
        devices=[line(part) for part in parts] if others else [],
        sections=sections,
        panels=[_panel(picture) for picture in pictures],
        budget=budget,
    )


def _where(part: DeviceReport, parts: Sequence[DeviceReport]) -> str:
    return f" on {part.device}" if len(parts) > 1 else ""


def _failed(parts: Sequence[DeviceReport]) -> list[str]:
    """What could not be measured through its own fault: one sentence each."""
    away = [f"{part.device}: {part.error.removeprefix(part.device).strip()}" for part in parts if part.error]
    return away + [
        f"{one.label}{_where(part, parts)}: {one.failure}"
        for part in parts
        for one in (part.document.subjects if part.document else ())
        if one.failure and not part.verdicts
    ]


def summary(manifest: Manifest, verdicts: Sequence[BudgetVerdict], failed: Sequence[str] = ()) -> VerdictMark:
    """The verdict on the whole bundle, gates and budgets together, and what it rests on in one sentence.

    Args:
        manifest: Its gates count.
        verdicts: Of all devices.
        failed: Devices and subjects without figures, which hold no budget.
    """
    gates = [gate for artifact in manifest.artifacts for gate in artifact.gates]
    judged = [one.verdict for one in verdicts if one.verdict != "not measured"]
    limits = len(gates) + len(judged)
    if failed:
        return VerdictMark("fail", "Not everything could be measured.")
    if limits == 0:
        return VerdictMark("no limits", "Neither gates nor a budget were set, so nothing was judged.")
    held = sum(gate.verdict == "pass" for gate in gates) + judged.count("pass")
    found = "fail" if manifest.verdict == "fail" else overall(verdicts) if judged else "pass"
    if held == limits:
        return VerdictMark(found, f"All {limits} limits hold." if limits > 1 else "The one limit holds.")
    return VerdictMark(found, f"{held} of {limits} limits hold.")


def _broken(manifest: Manifest, parts: Sequence[DeviceReport]) -> list[VerdictMark]:
    """What does not hold, one sentence each."""
    gates = [
        VerdictMark(gate.verdict, f"{artifact.id}: {gate_text(gate)}")
        for artifact in manifest.artifacts
        for gate in artifact.gates
        if gate.verdict != "pass"
    ]
    budgets = [
        VerdictMark(
            one.verdict,
            f"{one.label}{_where(part, parts)}: {budget_text(one)}: {one.reason}",
        )
        for part in parts
        for one in part.verdicts
        if one.verdict in ("fail", "unstable")
    ]
    return [*(VerdictMark("fail", one) for one in _failed(parts)), *budgets, *gates]


def _panel(picture: ReportPicture) -> Panel:
    shown, factor = difference(picture.teacher, picture.artifact)
    scores, region = picture.scores, worst_region(picture.teacher, picture.artifact)
    seen = "" if scores.flip is None else f", FLIP {scores.flip:.4f}"
    return Panel(
        artifact=picture.artifact_id,
        label=picture.label,
        where=picture.where,
        teacher=data_uri(picture.teacher),
        stylized=data_uri(picture.artifact),
        difference=data_uri(framed(shown, region) if region.error else shown),
        factor=factor,
        height=picture.teacher.shape[0],
        width=picture.teacher.shape[1],
        scores=f"PSNR {decibels(scores.psnr)}, SSIM {scores.ssim:.4f}, largest error {scores.largest_error:.1f} of 255{seen}",
        worst=f"Worst at {region}: {region.error:.1f} of 255 on average" if region.error else "",
    )
