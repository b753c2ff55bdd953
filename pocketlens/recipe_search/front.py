"""The Pareto front of a search, as data, table, plot and page."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketlens import files, images
from pocketlens.bench.budget import PerformanceBudget
from pocketlens.bench.plot_svg import ACCENT, INK, LIMIT, MUTED, NARROW, WIDE, create_figure, label_axes, render_svg
from pocketlens.bench.report_pictures import data_uri
from pocketlens.errors import require
from pocketlens.html_pages import html_template
from pocketlens.recipe_search.keep import PICTURES, read_trial, trial_folder

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_HEIGHT = 340
_LOG_ABOVE = 4.0
"""The axis is logarithmic where the slowest is more than so many times the quickest."""
_PAGE = Path(__file__).parent / "templates/front.html.jinja"


@dataclass(frozen=True)
class Point:
    """A trial that was carried out to its end.

    Attributes:
        trial: Its number.
        text: The candidate in a line.
        ssim: Of the worst judge picture against the teacher's.
        p95_ms: For each device, in their order.
        mb: Of the file, in 10⁶ bytes.
        broken: The gates and budgets that it does not hold.
    """

    trial: int
    text: str
    ssim: float
    p95_ms: tuple[float, ...]
    mb: float
    broken: tuple[str, ...] = ()

    def beats(self, other: "Point") -> bool:
        """Whether it is nowhere worse than another, and somewhere better."""
        own, its = (-self.ssim, *self.p95_ms, self.mb), (-other.ssim, *other.p95_ms, other.mb)
        return own != its and all(a <= b for a, b in zip(own, its, strict=True))


def points_of(trials: "Sequence[FrozenTrial]", devices: Sequence[str]) -> tuple[Point, ...]:
    """The trials of a study that have values."""
    points = []
    for trial in trials:
        if trial.values is None or len(trial.values) != len(devices) + 2:
            continue
        ssim, *p95, mb = trial.values
        broken = tuple(name for name, excess in trial.constraints.items() if excess > 0)
        points.append(Point(trial.number, str(trial.user_attrs.get("candidate", "")), ssim, tuple(p95), mb, broken))
    return tuple(points)


def front_of(points: Sequence[Point]) -> tuple[Point, ...]:
    """Those that hold everything and that no other one beats, the quickest first.

    Example:
        >>> a, b = Point(0, "a", 0.8, (10.0,), 1.0), Point(1, "b", 0.7, (12.0,), 1.0)
        >>> [point.text for point in front_of([b, a, Point(2, "c", 0.9, (50.0,), 1.0, ("budget",))])]
        ['a']
    """
    holding = [point for point in points if not point.broken]
    front = [point for point in holding if not any(other.beats(point) for other in holding)]
    return tuple(sorted(front, key=lambda point: (point.p95_ms, point.trial)))


def write_front(
    folder: Path, name: str, points: Sequence[Point], front: Sequence[Point], devices: Sequence[str],
    budget: PerformanceBudget, errors: str,
) -> None:  # fmt: skip
    """Write ``front.json``, ``front.svg`` and ``front.html``."""
    template = html_template(_PAGE)
    require("matplotlib", "bench")

    document = {"devices": devices, "front": [asdict(point) for point in front], "points": [asdict(p) for p in points]}
    files.write(folder / "front.json", json.dumps(document, indent=2) + "\n")
    plots = [
        _plot(points, front, devices, index, budget, width) for index in range(len(devices)) for width in (NARROW, WIDE)
    ]
    if points:
        files.write(folder / "front.svg", _file_colours(plots[1]))
    text = template.render(
        name=name,
        devices=devices,
        rows=[(point, point in front) for point in sorted(points, key=lambda p: (bool(p.broken), p.p95_ms))],
        panels=[_panel(folder, point) for point in front],
        plots=[(devices[i // 2], plots[i], plots[i + 1]) for i in range(0, len(plots), 2)] if points else [],
        budget_ms=budget.frame_ms,
        errors=errors,
    )
    files.write(folder / "front.html", text)


def _panel(folder: Path, point: Point) -> dict[str, Any]:
    place = trial_folder(folder, point.trial)
    photograph, teacher, worst = (data_uri(images.read(place / name)) for name in PICTURES)
    label = read_trial(folder, point.trial)["worst_picture"]
    return {"point": point, "photograph": photograph, "teacher": teacher, "student": worst, "label": label}


def _plot(
    points: Sequence[Point], front: Sequence[Point], devices: Sequence[str], device: int, budget: PerformanceBudget,
    width: int,
) -> str:  # fmt: skip
    """SSIM over the time on one device: a mark for each trial, filled where it holds, the front as a line."""
    if not points:
        return ""
    figure, axes = create_figure(width, _HEIGHT)
    steps: list[Point] = []
    for point in sorted(front, key=lambda p: (p.p95_ms[device], -p.ssim)):
        if not steps or point.ssim > steps[-1].ssim:
            steps.append(point)
    axes.plot(
        [p.p95_ms[device] for p in steps], [p.ssim for p in steps], color=ACCENT, linewidth=1.5, drawstyle="steps-post"
    )
    for point in points:
        at, colour = (point.p95_ms[device], point.ssim), ACCENT if point in front else MUTED
        axes.plot(*at, marker="o", color=colour, markerfacecolor="none" if point.broken else colour, markersize=6)
        axes.annotate(str(point.trial), at, xytext=(5, 4), textcoords="offset points", color=INK, fontsize=11)
    times = [point.p95_ms[device] for point in points]
    if max(times) / min(times) > _LOG_ABOVE:
        axes.set_xscale("log")
    if budget.frame_ms is not None and budget.frame_ms < _LOG_ABOVE * max(times):  # a far one would press the rest
        axes.axvline(budget.frame_ms, color=LIMIT, linewidth=1.5, linestyle=(0, (4, 3)))
    label_axes(axes, f"frame time at p95 on {devices[device]} in ms", "SSIM, worst picture")
    described = f"SSIM of the worst picture over the frame time on {devices[device]}, {len(points)} trials"
    return render_svg(figure, width, _HEIGHT, described)


def _file_colours(svg: str) -> str:
    """The plot as a file of its own, on white."""
    colours = {
        "var(--ink)": "#1b1b20",
        "var(--muted)": "#5a5a66",
        "var(--accent)": "#2f5fd0",
        "var(--limit)": "#b3261e",
    }
    for variable, colour in colours.items():
        svg = svg.replace(variable, colour)
    return svg.replace(
        "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ', 1
    )
