"""How a front is shown: rows of a table, a section of the report, a plot."""

from collections.abc import Sequence
from pathlib import Path

from pocketlens.bench import plot_pareto
from pocketlens.bench.pareto import Candidate
from pocketlens.bench.plot_pareto import ParetoPlot
from pocketlens.bench.plot_svg import NARROW, WIDE
from pocketlens.bench.report import Section
from pocketlens.converters.quantization.settings import settings_sentence
from pocketlens.errors import require
from pocketlens.files import whole
from pocketlens.pipeline.search.pareto import CostUnit, ParetoFront, ParetoPoint

COLUMNS = ("plan", "dB", "SSIM", "ms", "MB", "gate", "front", "ships")
_AXES: dict[CostUnit, tuple[str, float]] = {
    "ms": ("median frame time in ms; further left is faster", 1),
    "bytes": ("size in MB; further left is smaller", 1e6),
    "convs": ("convolutions in 16 bits; further left is fewer", 1),
}
"""What the axis of cost says, and by what a cost is divided there."""
LAYERS = 3
"""Of the layers that cost most, so many are named."""


def rows(front: ParetoFront) -> list[tuple[str, ...]]:
    """A line a plan, cells as :data:`COLUMNS`; the last one is the float baseline, where it is known."""
    cells = [_row(front, index, point) for index, point in enumerate(front.points)]
    if front.baseline_bytes is not None:
        cells.append(("fp32", "-", "-", _ms(front.baseline_ms), f"{front.baseline_bytes / 1e6:.2f}", "-", "-", "-"))
    return cells


def _row(front: ParetoFront, index: int, point: ParetoPoint) -> tuple[str, ...]:
    scores = point.scores
    if scores is None:
        return (point.name, "-", "-", "-", "-", point.note, "-", "-")
    verdict = ("pass" if point.passes else "fail") if point.gates else "-"
    return (
        point.name, f"{scores.psnr:.1f}", f"{scores.ssim:.4f}", _ms(point.ms), f"{point.bytes / 1e6:.2f}", verdict,
        "yes" if index in front.non_dominated else "no", "yes" if index == front.chosen else "no",
    )  # fmt: skip


def costliest(front: ParetoFront) -> str:
    """The layers whose quantization costs the picture most, in words; empty where they were not ranked."""
    total = sum(layer.error for layer in front.layers)
    if not total:
        return ""
    worst = sorted(front.layers, key=lambda layer: -layer.error)[:LAYERS]
    return ", ".join(f"{layer.names[0]} {layer.error / total:.0%}" for layer in worst)


def section(front: ParetoFront) -> Section:
    """A front as a section of the report."""
    require("matplotlib", "bench")
    text = f"{front.text}. The gate: {front.limits}."
    if where := costliest(front):
        text += f" Most of the error comes from {where}."
    if tried := settings_sentence(front.settings):
        text += f" On the calibration pictures: {tried}."
    numbered = tuple((f"{i + 1}", *row) for i, row in enumerate(rows(front)))
    plot = pareto_plot(front)
    plots = tuple(plot_pareto.render_plot(plot, width) for width in (NARROW, WIDE)) if plot.candidates else ()
    return Section(f"Plans of {front.id}", text, ("", *COLUMNS), numbered, plots)  # type: ignore[arg-type]


def pareto_plot(front: ParetoFront) -> ParetoPlot:
    """A front as it is drawn: points that were built, numbered as in its table."""
    built = [point for point in front.points if point.scores and (point.ms is not None or not front.timed)]
    axis, scale = _AXES[front.cost_unit]
    candidates = [
        Candidate(str(i + 1), front.cost(i) / scale, min(point.scores.psnr, 80.0))
        for i, point in enumerate(front.points)
        if point in built and point.scores
    ]
    baseline = front.baseline_ms if front.timed else front.baseline_bytes and front.baseline_bytes / scale
    limit = next((gate.limit for point in built for gate in point.gates if gate.name == "psnr"), None)
    ships = front.ships
    return ParetoPlot(
        candidates,
        [index for index, point in enumerate(built) if point.passes],
        built.index(ships) if ships in built else None,
        limit,
        baseline,
        axis,
        f"PSNR over cost of {len(candidates)} plans of {front.id}. {front.text}.",
    )


def draw(fronts: Sequence[ParetoFront], path: Path) -> None:
    """A picture of fronts, a panel each: ``.png`` or ``.svg``.

    Raises:
        MissingError: matplotlib is not installed.
    """
    require("matplotlib", "bench")
    plots = [(front, pareto_plot(front)) for front in fronts]
    drawn = [(front, plot) for front, plot in plots if plot.candidates]
    with whole(path) as part:
        plot_pareto.save_plots([plot for _, plot in drawn], [front.id for front, _ in drawn], part)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
