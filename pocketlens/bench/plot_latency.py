"""The latency plot: one row a benchmark case, one mark a frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketlens.bench.plot_svg import ACCENT, DPI, INK, LIMIT, MUTED, save_svg, svg_settings
from pocketlens.bench.statistics import Samples, percentile

_MAX_MARKS = 400
_LOG_ABOVE = 12.0
"""The axis is logarithmic where the slowest is more than so many times the fastest."""


@dataclass(frozen=True, eq=False)
class Strip:
    """The row of one case: its name and its frame times in ms, in the order in which they were played."""

    label: str
    samples: Samples


def plot_latency(strips: Sequence[Strip], limit_ms: float | None, width: int, description: str) -> str:
    """Draw one row a case: a mark for each frame, the median and the 95th percentile.

    Within a row, time runs downwards: the marks of a case that becomes slower lean to the right.

    Args:
        strips: At least one.
        limit_ms: The budget's frame time, drawn as a line, or None.
        width: In CSS pixels; text is 12 of them high.
        description: For readers who cannot see the plot.

    Returns:
        An ``<svg>`` element that uses the page's ``--ink``, ``--muted``, ``--accent`` and ``--limit``. The same figures
        give the same text.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    with rc_context(svg_settings(f"pocketlens-{width}")):
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
            _draw(axes, row, strip, low, max_letters=44 if width < 600 else 120)
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
        return save_svg(figure, width, height, description)


def _range(strips: Sequence[Strip], limit_ms: float | None) -> tuple[float, float]:
    marks = [percentile(strip.samples, rank) for strip in strips for rank in (0, 99)]
    marks += [limit_ms] if limit_ms is not None else []
    low, high = min(marks), max(marks)
    if high / low > _LOG_ABOVE:
        return low / 1.3, high * 1.3
    margin = max(0.04 * (high - low), 0.02 * high)
    return max(low - margin, low / 2), high + margin


def _draw(axes: Any, row: int, strip: Strip, low: float, max_letters: int) -> None:
    count = len(strip.samples)
    shown = np.unique(np.linspace(0, count - 1, min(count, _MAX_MARKS)).astype(int))
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
    cut = strip.label if len(strip.label) <= max_letters else f"{strip.label[: max_letters - 1]}…"
    axes.text(low, row + 0.33, cut, color=INK)  # the table has the whole label
