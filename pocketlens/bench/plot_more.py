"""The report's other plots: quality against latency, and latency over time with the temperature beside it."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketlens.bench.document import Document
from pocketlens.bench.plot import ACCENT, DPI, INK, LIMIT, MUTED, inline

_SERIES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Candidate:
    """One artifact in one runtime: how fast, and how close to its teacher.

    Attributes:
        label: Names it.
        frame_ms: Its 95th percentile, in ms.
        psnr: Against the teacher, in dB; cut off at 80, where nobody sees a difference any more.
    """

    label: str
    frame_ms: float
    psnr: float


def front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that no other one beats in both, fastest first (the Pareto front).

    Example:
        >>> a, b, c = Candidate("a", 10, 30), Candidate("b", 20, 40), Candidate("c", 25, 35)
        >>> [one.label for one in front([c, b, a])]
        ['a', 'b']
    """
    found: list[Candidate] = []
    for one in sorted(candidates, key=lambda c: (c.frame_ms, -c.psnr)):
        if not found or one.psnr > found[-1].psnr:
            found.append(one)
    return found


def tradeoff(candidates: Sequence[Candidate], limit_ms: float | None, width: int, description: str) -> str:
    """Quality over latency, a mark an artifact, the Pareto front as a line, the budget as another.

    Args:
        candidates: At least one.
        limit_ms: The budget's frame time, or None.
        width: In CSS pixels.
        description: For those who cannot see it.

    Returns:
        An ``<svg>`` element in the page's colours.
    """
    figure, axes = figure_of(width, 320)
    best = front(candidates)
    axes.plot([c.frame_ms for c in best], [c.psnr for c in best], color=ACCENT, linewidth=1.5, drawstyle="steps-post")
    span = max(c.frame_ms for c in candidates) / min(c.frame_ms for c in candidates)
    if span > 4:
        axes.set_xscale("log")
    for index, one in enumerate(candidates):
        axes.plot(one.frame_ms, one.psnr, marker="o", color=ACCENT if one in best else MUTED, markersize=6)
        axes.annotate(
            str(index + 1), (one.frame_ms, one.psnr), xytext=(5, 4), textcoords="offset points", color=INK, fontsize=11
        )
    if limit_ms is not None:
        axes.axvline(limit_ms, color=LIMIT, linewidth=1.5, linestyle=(0, (4, 3)))
    axes_of(axes, "frame time at p95 in ms; further left is faster", "PSNR against the teacher in dB")
    return svg(figure, width, 320, description)


def over_time(document: Document, limit_ms: float | None, width: int, description: str) -> str:
    """The median of each block over time, a line a subject, and the device's temperature where it tells.

    Args:
        document: With at least one timed subject.
        limit_ms: The budget's frame time, or None.
        width: In CSS pixels.
        description: For those who cannot see it.
    """
    figure, axes = figure_of(width, 300)
    for index, one in enumerate(result for result in document.subjects if result.rounds):
        times = [block.at_s for block in one.rounds]
        medians = [float(np.median(block.frame_ms)) for block in one.rounds]
        axes.plot(times, medians, color=ACCENT, linewidth=1.4, linestyle=_SERIES[index % 4])
        axes.annotate(
            str(index + 1), (times[-1], medians[-1]), xytext=(4, 0), textcoords="offset points", color=INK, fontsize=11
        )
    if limit_ms is not None:
        axes.axhline(limit_ms, color=LIMIT, linewidth=1.5, linestyle=(0, (4, 3)))
    axes.set_ylim(bottom=0)
    axes_of(axes, "seconds since the first frame", "frame time in ms")
    heat = [(m.at_s, m.snapshot.temperature_c) for m in document.environment.during if m.snapshot.temperature_c]
    if heat:
        beside = axes.twinx()
        axes.patch.set_visible(False)
        beside.patch.set_visible(False)
        beside.plot([t for t, _ in heat], [c for _, c in heat], color=MUTED, linewidth=1)
        beside.set_ylabel("temperature in °C (thin line)", color=MUTED, fontsize=12)
        beside.tick_params(colors=MUTED, labelsize=12)
        for side in ("top", "left", "right", "bottom"):
            beside.spines[side].set_visible(False)
    return svg(figure, width, 300, description)


def figure_of(width: int, height: int) -> tuple[Any, Any]:
    """A figure of so many CSS pixels, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((60 / width, 48 / height, 1 - 120 / width, 1 - 64 / height))
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    return figure, axes


def axes_of(axes: Any, below: str, beside: str, colour: str = MUTED) -> None:
    """Label the axes of a plot, and leave out what no reader needs."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.set_xlabel(below, color=colour, fontsize=12)
    axes.set_ylabel(beside, color=colour, fontsize=12)
    if axes.get_xscale() == "log":
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.tick_params(which="both", colors=colour, labelsize=12)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("bottom", "left"))
        spine.set_color(colour)


def svg(figure: Any, width: int, height: int, description: str) -> str:
    """A figure as an ``<svg>`` element in the page's colours."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    # A salt each: several plots of one page must not share the ids of their parts.
    salt = hashlib.sha256(f"{description} {width}".encode()).hexdigest()
    settings = {"svg.hashsalt": salt, "svg.fonttype": "none", "font.size": 12, "text.parse_math": False}
    with rc_context(settings):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return inline(buffer.getvalue(), width, height, description)
