"""The plot of latency over time, with the device's temperature where it reports one."""

import numpy as np

from pocketlens.bench.document import Document
from pocketlens.bench.plot_svg import ACCENT, INK, LIMIT, MUTED, create_figure, label_axes, render_svg

HEIGHT = 300
_LINE_STYLES = ("-", "--", "-.", ":")


def plot_over_time(document: Document, limit_ms: float | None, width: int, description: str) -> str:
    """The median of each block over time, a line for each case, and the device's temperature where it reports one.

    Args:
        document: With at least one timed case.
        limit_ms: The budget's frame time, or None.
        width: In CSS pixels.
        description: For readers who cannot see the plot.

    Returns:
        An ``<svg>`` element in the page's colours.
    """
    figure, axes = create_figure(width, HEIGHT)
    for index, result in enumerate(result for result in document.results if result.blocks):
        times = [block.at_s for block in result.blocks]
        medians = [float(np.median(block.frame_ms)) for block in result.blocks]
        axes.plot(times, medians, color=ACCENT, linewidth=1.4, linestyle=_LINE_STYLES[index % 4])
        axes.annotate(
            str(index + 1), (times[-1], medians[-1]), xytext=(4, 0), textcoords="offset points", color=INK, fontsize=11
        )
    if limit_ms is not None:
        axes.axhline(limit_ms, color=LIMIT, linewidth=1.5, linestyle=(0, (4, 3)))
    axes.set_ylim(bottom=0)
    label_axes(axes, "seconds since the first frame", "frame time in ms")
    heat = [(m.at_s, m.snapshot.temperature_c) for m in document.environment.during if m.snapshot.temperature_c]
    if heat:
        right = axes.twinx()
        axes.patch.set_visible(False)
        right.patch.set_visible(False)
        right.plot([t for t, _ in heat], [c for _, c in heat], color=MUTED, linewidth=1)
        right.set_ylabel("temperature in °C (thin line)", color=MUTED, fontsize=12)
        right.tick_params(colors=MUTED, labelsize=12)
        for side in ("top", "left", "right", "bottom"):
            right.spines[side].set_visible(False)
    return render_svg(figure, width, HEIGHT, description)
