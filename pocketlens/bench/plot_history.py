"""The plot of a history: medians over time, as an SVG file."""

import io
from collections.abc import Mapping, Sequence

from pocketlens.bench.compare import HistoryPoint
from pocketlens.errors import require

_MOST_NAMES = 24
"""So many names fit beside the lines; a legend of more would leave them no room."""


def plot_history(series: Mapping[str, Sequence[HistoryPoint]]) -> str:
    """Draw one line for each case, with its interval as a band; the axis of frame times is logarithmic.

    Args:
        series: Points in order of time, by the case's name.

    Returns:
        An SVG document. The same points give the same text.

    Raises:
        MissingError: matplotlib is not installed.
    """
    require("matplotlib", "bench")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "pocketlens", "text.parse_math": False}):
        figure = Figure(figsize=(9, 4.5), layout="constrained")
        axes = figure.add_subplot()
        times = sorted({point.time for points in series.values() for point in points})
        for name, points in series.items():
            places = [times.index(point.time) for point in points]
            axes.plot(places, [point.p50 for point in points], marker="o", markersize=4, label=name)
            axes.fill_between(places, [p.low for p in points], [p.high for p in points], alpha=0.2)
        axes.set_yscale("log")
        axes.set_ylabel("median frame time in ms")
        step = max(1, len(times) // 8)
        axes.set_xticks(
            range(0, len(times), step), [time[:16].replace("T", "\n") for time in times[::step]], fontsize=8
        )
        axes.grid(alpha=0.3)
        named, _ = axes.get_legend_handles_labels()
        title = f"{_MOST_NAMES} of {len(named)} cases" if len(named) > _MOST_NAMES else None
        axes.legend(handles=named[:_MOST_NAMES], title=title, title_fontsize=8, fontsize=8)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
