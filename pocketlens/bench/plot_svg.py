"""What every plot of the report shares: a figure with axes, and its SVG text in the colours of the page around it."""

import hashlib
import io
import re
from typing import Any

INK, MUTED, ACCENT, LIMIT = "#000001", "#000002", "#000003", "#000004"
"""Placeholder colours: matplotlib needs colours, but only the page knows whether it is light or dark."""
_PAGE_COLOURS = {INK: "var(--ink)", MUTED: "var(--muted)", ACCENT: "var(--accent)", LIMIT: "var(--limit)"}
_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
NARROW, WIDE = 330, 900
"""The widths of the plots of a page, in CSS pixels: one for phones, one for large screens."""
DPI = 72
"""One CSS pixel is one point."""


def create_figure(width: int, height: int) -> tuple[Any, Any]:
    """A transparent figure of so many CSS pixels, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((60 / width, 48 / height, 1 - 120 / width, 1 - 64 / height))
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    return figure, axes


def label_axes(axes: Any, x_label: str, y_label: str, colour: str = MUTED) -> None:
    """Label both axes, choose the ticks of the x axis, and hide the frame on the top and on the right."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.set_xlabel(x_label, color=colour, fontsize=12)
    axes.set_ylabel(y_label, color=colour, fontsize=12)
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


def svg_settings(salt: str) -> dict[str, Any]:
    """Matplotlib's settings for SVG text that is the same each time, with text as text.

    Args:
        salt: Another one for each plot of a page: the ids of their parts must differ.
    """
    return {"svg.hashsalt": salt, "svg.fonttype": "none", "font.size": 12, "text.parse_math": False}


def render_svg(figure: Any, width: int, height: int, description: str) -> str:
    """A figure as an ``<svg>`` element in the page's colours.

    Args:
        figure: A matplotlib figure that uses :data:`INK`, :data:`MUTED`, :data:`ACCENT` and :data:`LIMIT`.
        width: In CSS pixels.
        height: In CSS pixels.
        description: For readers who cannot see the plot.
    """
    from matplotlib import rc_context

    with rc_context(svg_settings(hashlib.sha256(f"{description} {width}".encode()).hexdigest())):
        return save_svg(figure, width, height, description)


def save_svg(figure: Any, width: int, height: int, description: str) -> str:
    """As :func:`render_svg`, with the current settings of matplotlib."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=_METADATA)
    return _inline(buffer.getvalue(), width, height, description)


def _inline(text: str, width: int, height: int, description: str) -> str:
    """The ``<svg>`` element alone, without what only an SVG file needs, in the page's colours."""
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"^<svg[^>]*>", "", body)
    for placeholder, colour in _PAGE_COLOURS.items():
        body = body.replace(placeholder, colour)
    label = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {width} {height}" width="{width}" height="{height}">{body}'
    )
