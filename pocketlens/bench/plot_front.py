"""The plot of a search for a plan: quality over cost, what nothing beats, the gate, and the float twin."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketlens.bench.plot import ACCENT, INK, LIMIT, MUTED
from pocketlens.bench.plot_more import Candidate, axes_of, figure_of, front, svg

_COLOURS = {INK: "#1b1b20", MUTED: "#5a5a66", ACCENT: "#2f5fd0", LIMIT: "#b3261e"}
HEIGHT = 320


@dataclass(frozen=True)
class Field:
    """What is drawn.

    Attributes:
        candidates: The plans, each with its number in the table as ``label`` and its cost as ``frame_ms``, whatever its unit.
        passing: The places of those that hold every limit: filled marks.
        chosen: The place of the one that ships, with a ring; None for none.
        least_psnr: The gate's, in dB, as a line; None where it asks for none.
        twin: The cost of the float twin, as a line; None where it is not known.
        axis: What the cost is.
        description: For those who cannot see it.
    """

    candidates: Sequence[Candidate]
    passing: Sequence[int]
    chosen: int | None
    least_psnr: float | None
    twin: float | None
    axis: str
    description: str


def page(field: Field, width: int) -> str:
    """An ``<svg>`` element in the colours of the page around it; the same field gives the same text.

    Args:
        field: With at least one candidate.
        width: In CSS pixels.
    """
    figure, axes = figure_of(width, HEIGHT)
    _draw(axes, field)
    return svg(figure, width, HEIGHT, field.description)


def file(fields: Sequence[Field], titles: Sequence[str], path: Path) -> None:
    """A picture with a panel for each field: ``.png``, or ``.svg``.

    Args:
        fields: At least one.
        titles: Of the panels.
        path: Where to; its suffix says which format.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.6 * len(fields)), dpi=110, layout="constrained")
    for row, (field, title) in enumerate(zip(fields, titles, strict=True)):
        axes = figure.add_subplot(len(fields), 1, row + 1)
        _draw(axes, field, _COLOURS)
        axes.set_title(title, loc="left", fontsize=12, color=_COLOURS[INK])
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw(axes: Any, field: Field, colours: dict[str, str] | None = None) -> None:
    ink, muted, accent, limit = ((colours or {}).get(one, one) for one in (INK, MUTED, ACCENT, LIMIT))
    best = front(field.candidates)
    axes.plot([c.frame_ms for c in best], [c.psnr for c in best], color=accent, linewidth=1.5, drawstyle="steps-post")
    for index, one in enumerate(field.candidates):
        colour = accent if one in best else muted
        filled = colour if index in field.passing else "none"
        axes.plot(one.frame_ms, one.psnr, marker="o", color=colour, markerfacecolor=filled, markersize=6)
        if index == field.chosen:
            axes.plot(one.frame_ms, one.psnr, marker="o", color=ink, markerfacecolor="none", markersize=13)
        axes.annotate(
            one.label, (one.frame_ms, one.psnr), xytext=(7, 5), textcoords="offset points", color=ink, fontsize=11
        )
    axes.margins(0.12, 0.18)
    if field.least_psnr is not None:
        axes.axhline(field.least_psnr, color=limit, linewidth=1.5, linestyle=(0, (4, 3)))
    if field.twin is not None:
        axes.axvline(field.twin, color=muted, linewidth=1.2, linestyle=(0, (1, 2)))
        axes.annotate(
            "fp32", (field.twin, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -12),
            textcoords="offset points", color=muted, fontsize=11,
        )  # fmt: skip
    axes_of(axes, field.axis, "PSNR, worst picture, in dB", muted)
