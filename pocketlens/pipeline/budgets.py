"""The budget that a bundle is judged by: that of its recipe, or what is asked for instead."""

import tomllib
from typing import Any

from pocketlens.bench.budget import PerformanceBudget
from pocketlens.bundle.read import Bundle
from pocketlens.errors import InputError

_NUMBERS = ("fps", "frame_ms", "percentile", "first_frame_ms", "size_mb", "memory_mb")


def budget_of(
    bundle: Bundle, *, preset: str = "", fps: float | None = None, frame_ms: float | None = None
) -> PerformanceBudget:
    """The budget of a bundle's recipe; any limit given here replaces all of it.

    Raises:
        InputError: The preset is unknown, both times are given, or the bundle's recipe is damaged.
    """
    if preset or fps is not None or frame_ms is not None:
        return PerformanceBudget.of(preset=preset, fps=fps, frame_ms=frame_ms)
    try:
        table = tomllib.loads(bundle.file("recipe.toml").read_text("utf-8")).get("budget", {})
    except (ValueError, RecursionError) as error:
        raise InputError(f"the bundle's recipe.toml is damaged: {error}", do="build the bundle again") from error
    return budget_from(table if isinstance(table, dict) else {})


def budget_from(table: dict[str, Any]) -> PerformanceBudget:
    """The ``[budget]`` of a recipe. A Raspberry Pi reads it too: no recipe is validated here, only these numbers.

    Raises:
        InputError: A limit is no number, or cannot be one.
    """
    limits: dict[str, float] = {}
    for name in _NUMBERS:
        value = table.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise InputError(f"budget.{name} is {value!r}, expected a number", do="correct the recipe")
        limits[name] = float(value)
    return PerformanceBudget.of(preset=str(table.get("preset", "")), **limits)
