"""Plots of quality over cost with their Pareto front: of measured artifacts, and of the plans that a search built."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketlens.bench.pareto import Candidate, pareto_front
from pocketlens.bench.plot_svg import ACCENT, INK, LIMIT, MUTED, create_figure, label_axes, render_svg

HEIGHT = 320
_FILE_COLOURS = {INK: "#1b1b20", MUTED: "#5a5a66", ACCENT: "#2f5fd0", LIMIT: "#b3261e"}
_PAGE_COLOURS = {colour: colour for colour in _FILE_COLOURS}
_LOG_ABOVE = 4.0
"""The axis is logarithmic where the slowest is more than so many times the fastest."""


def plot_tradeoff(candidates: Sequence[Candidate], limit_ms: float | None, width: int, description: str) -> str:
    """Quality over latency: a mark for each artifact, the Pareto front as a line, the budget as another.

    Args:
        candidates: At least one; their cost is the frame time in ms.
        limit_ms: The budget's frame time, or None.
        width: In CSS pixels.
        description: For readers who cannot see the plot.

    Returns:
        An ``<svg>`` element in the page's colours.
    """
    figure, axes = create_figure(width, HEIGHT)
    front = pareto_front(candidates)
    _draw_front(axes, front, ACCENT)
    if max(c.cost for c in candidates) / min(c.cost for c in candidates) > _LOG_ABOVE:
        axes.set_xscale("log")
    for index, candidate in enumerate(candidates):
        at = (candidate.cost, candidate.psnr)
        axes.plot(*at, marker="o", color=ACCENT if candidate in front else MUTED, markersize=6)
        axes.annotate(str(index + 1), at, xytext=(5, 4), textcoords="offset points", color=INK, fontsize=11)
    if limit_ms is not None:
        axes.axvline(limit_ms, color=LIMIT, linewidth=1.5, linestyle=(0, (4, 3)))
    label_axes(axes, "frame time at p95 in ms; further left is faster", "PSNR against the teacher in dB")
    return render_svg(figure, width, HEIGHT, description)


@dataclass(frozen=True)
class ParetoPlot:
    """The plans that a search built, as a plot shows them.

    Attributes:
        candidates: The plans; the label is the number in the table.
        passing: Indices of those that hold every gate: filled marks.
        chosen: Index of the one that ships, with a ring; None for none.
        min_psnr: The gate's, in dB, as a line; None where it asks for none.
        baseline_cost: The cost of the float baseline, as a line; None where it is not known.
        cost_label: The cost with its unit.
        description: For readers who cannot see the plot.
    """

    candidates: Sequence[Candidate]
    passing: Sequence[int]
    chosen: int | None
    min_psnr: float | None
    baseline_cost: float | None
    cost_label: str
    description: str


def render_plot(plot: ParetoPlot, width: int) -> str:
    """An ``<svg>`` element in the colours of the page around it; the same plot gives the same text.

    Args:
        plot: With at least one candidate.
        width: In CSS pixels.
    """
    figure, axes = create_figure(width, HEIGHT)
    _draw_plot(axes, plot, _PAGE_COLOURS)
    return render_svg(figure, width, HEIGHT, plot.description)


def save_plots(plots: Sequence[ParetoPlot], titles: Sequence[str], path: Path) -> None:
    """Write an image with a panel for each plot.

    Args:
        plots: At least one.
        titles: Of the panels.
        path: The file, ``.png`` or ``.svg``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.6 * len(plots)), dpi=110, layout="constrained")
    for row, (plot, title) in enumerate(zip(plots, titles, strict=True)):
        axes = figure.add_subplot(len(plots), 1, row + 1)
        _draw_plot(axes, plot, _FILE_COLOURS)
        axes.set_title(title, loc="left", fontsize=12, color=_FILE_COLOURS[INK])
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw_front(axes: Any, front: Sequence[Candidate], colour: str) -> None:
    costs, psnrs = [c.cost for c in front], [c.psnr for c in front]
    axes.plot(costs, psnrs, color=colour, linewidth=1.5, drawstyle="steps-post")


def _draw_plot(axes: Any, plot: ParetoPlot, colours: dict[str, str]) -> None:
    ink, muted, accent, limit = (colours[placeholder] for placeholder in (INK, MUTED, ACCENT, LIMIT))
    front = pareto_front(plot.candidates)
    _draw_front(axes, front, accent)
    for index, candidate in enumerate(plot.candidates):
        at = (candidate.cost, candidate.psnr)
        colour = accent if candidate in front else muted
        filled = colour if index in plot.passing else "none"
        axes.plot(*at, marker="o", color=colour, markerfacecolor=filled, markersize=6)
        if index == plot.chosen:
            axes.plot(*at, marker="o", color=ink, markerfacecolor="none", markersize=13)
        axes.annotate(candidate.label, at, xytext=(7, 5), textcoords="offset points", color=ink, fontsize=11)
    axes.margins(0.12, 0.18)
    if plot.min_psnr is not None:
        axes.axhline(plot.min_psnr, color=limit, linewidth=1.5, linestyle=(0, (4, 3)))
    if plot.baseline_cost is not None:
        axes.axvline(plot.baseline_cost, color=muted, linewidth=1.2, linestyle=(0, (1, 2)))
        axes.annotate(
            "fp32", (plot.baseline_cost, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -12),
            textcoords="offset points", color=muted, fontsize=11,
        )  # fmt: skip
    label_axes(axes, plot.cost_label, "PSNR, worst picture, in dB", muted)
