"""The latency plot: every frame of every subject as an SVG that takes its colours from the page around it."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketlens.bench.statistics import Samples, percentile

INK, MUTED, ACCENT, LIMIT = "#000001", "#000002", "#000003", "#000004"
# matplotlib wants colours, the page knows which: light or dark. These stand in and are replaced in the text.
_STYLES = {INK: "var(--ink)", MUTED: "var(--muted)", ACCENT: "var(--accent)", LIMIT: "var(--limit)"}
_MOST_MARKS = 400
DPI = 72
_LOG_ABOVE = 12.0


@dataclass(frozen=True, eq=False)
class Strip:
    """One subject's row: its name and its frame times in ms, in the order in which they were played."""

    label: str
    samples: Samples


def latency(strips: Sequence[Strip], limit_ms: float | None, width: int, description: str) -> str:
    """Draw one row a subject: a mark a frame, the median and the 95th percentile.

    Within a row time runs downwards, so that a drifting subject leans.

    Args:
        strips: At least one.
        limit_ms: The budget's frame time, drawn as a line, or None.
        width: In CSS pixels; text is 12 of them high.
        description: For those who cannot see it.

    Returns:
        An ``<svg>`` element that uses the page's ``--ink``, ``--muted``, ``--accent`` and ``--limit``. The same figures
        give the same text.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    settings = {
        "svg.hashsalt": f"pocketlens-{width}",
        "svg.fonttype": "none",
        "font.size": 12,
        "text.parse_math": False,
    }
    with rc_context(settings):
        height = 46 * len(strips) + 62
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        axes = figure.add_axes((12 / width, 44 / height, 1 - 24 / width, 1 - 62 / height))
        low, high = _range(strips, limit_ms)
        if high / low > _LOG_ABOVE:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(
                LogLocator(subs=(1, 2, 5) if high / low < (200 if width < 600 else 20000) else (1,))
            )
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5 if width < 600 else 9))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlim(low, high)
        axes.set_ylim(len(strips), 0)
        for row, strip in enumerate(strips):
            _draw(axes, row, strip, low, most=44 if width < 600 else 120)
        if limit_ms is not None:
            axes.axvline(limit_ms, color=LIMIT, linewidth=1.5, linestyle=(0, (4, 3)))
            left = limit_ms > (low * high) ** 0.5 if high / low > _LOG_ABOVE else limit_ms > (low + high) / 2
            axes.text(limit_ms, -0.06, f"budget {limit_ms:.3g} ms", color=LIMIT, ha="right" if left else "left")
        axes.set_xlabel("frame time in ms; further left is faster", color=MUTED)
        axes.tick_params(axis="x", which="both", colors=MUTED)
        axes.yaxis.set_visible(False)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(MUTED)
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return inline(buffer.getvalue(), width, height, description)


def _range(strips: Sequence[Strip], limit_ms: float | None) -> tuple[float, float]:
    marks = [percentile(strip.samples, rank) for strip in strips for rank in (0, 99)]
    marks += [limit_ms] if limit_ms is not None else []
    low, high = min(marks), max(marks)
    if high / low > _LOG_ABOVE:
        return low / 1.3, high * 1.3
    margin = max(0.04 * (high - low), 0.02 * high)
    return max(low - margin, low / 2), high + margin


def _draw(axes: Any, row: int, strip: Strip, low: float, most: int) -> None:
    count = len(strip.samples)
    shown = np.unique(np.linspace(0, count - 1, min(count, _MOST_MARKS)).astype(int))
    top = row + 0.46 + 0.40 * shown / max(1, count - 1)
    gap = np.full(len(shown), np.nan)
    # One line with gaps instead of a line a mark: a tenth of the text.
    xs = np.stack([strip.samples[shown], strip.samples[shown], gap], 1).ravel()
    ys = np.stack([top, top + 0.07, gap], 1).ravel()
    axes.plot(xs, ys, color=ACCENT, linewidth=1.2, alpha=0.7, solid_capstyle="butt")
    p50, p95 = percentile(strip.samples, 50), percentile(strip.samples, 95)
    axes.plot([p50, p95], [row + 0.7, row + 0.7], color=INK, linewidth=1.2)
    axes.plot([p50, p50], [row + 0.46, row + 0.94], color=INK, linewidth=2.5, solid_capstyle="butt")
    axes.plot([p95, p95], [row + 0.56, row + 0.84], color=INK, linewidth=2, solid_capstyle="butt")
    label = strip.label if len(strip.label) <= most else f"{strip.label[: most - 1]}…"  # the table has all of it
    axes.text(low, row + 0.33, label, color=INK)


def inline(text: str, width: int, height: int, description: str) -> str:
    """The ``<svg>`` element alone, without what belongs to a file of its own, in the page's colours."""
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"^<svg[^>]*>", "", body)
    for stand_in, style in _STYLES.items():
        body = body.replace(stand_in, style)
    label = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {width} {height}" width="{width}" height="{height}">{body}'
    )
