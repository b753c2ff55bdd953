"""Tables of pages that are written by hand: precisions, targets, options of runtimes, published limits."""

import inspect
from dataclasses import MISSING, fields
from pathlib import Path

import yaml

from docs.generators.jsonschema import described, prose, table
from pocketlens.bench.budget import PRESETS
from pocketlens.precisions import PRECISIONS
from pocketlens.runtimes.adapter import RUNTIMES, Options
from pocketlens.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]
_NOT_CHOSEN = ("threads", "size", "pixels")
"""Fields of the options that are numbers, and so have no list of values."""


def precisions() -> str:
    """Every precision: what it is, which target has it, and the least PSNR that a file of it must reach."""
    rows = [
        (f"`{one.name}`", _sentence(one.summary), *(_has(target.name, one.name) for target in TARGETS.values()))
        for one in PRECISIONS.values()
    ]
    return table(("precision", "what it is", *TARGETS), rows)


def floors() -> str:
    """The least PSNR of each precision, in dB."""
    rows = [
        (
            f"`{one.name}`",
            f"{one.floors.file:g}",
            f"{one.floors.block_means:g}" if one.floors.block_means else "",
            f"{one.floors.teacher:g}" if one.floors.teacher else "",
        )
        for one in PRECISIONS.values()
    ]
    return table(("precision", "the file", "means over 8 × 8 pixels", "against the teacher"), rows)


def targets() -> str:
    """Every target: its file, who plays it, and the oldest system."""
    rows = [
        (
            f"`{one.name}`",
            one.title,
            f"`{one.suffix}`" + "".join(f" and `{suffix}`" for suffix in one.beside),
            one.layout,
            ", ".join(one.runtimes),
            ", ".join(one.accelerators),
            one.oldest_system("fp16"),
        )
        for one in TARGETS.values()
    ]
    return table(("target", "format", "file", "axes", "runtimes", "accelerators", "oldest system"), rows)


def target_fields() -> str:
    """What an entry of the table of targets says, from its docstring."""
    _, texts = described(inspect.cleandoc(Target.__doc__ or ""))
    rows = [
        (f"`{one.name}`", "needed" if one.default is MISSING else "", prose(texts.get(one.name, "")))
        for one in fields(Target)
    ]
    return table(("field", "", "meaning"), rows)


def options() -> str:
    """What each runtime lets a caller choose."""
    names = [field.name for field in fields(Options) if field.name not in _NOT_CHOSEN]
    rows = [
        (f"`{name}`", *(_values(getattr(runtime, f"{name}s", ())) for runtime in RUNTIMES.values())) for name in names
    ]
    return table(("option", *RUNTIMES), rows)


def presets() -> str:
    """The published limits that a budget may name."""
    rows = [
        (
            f"`{name}`",
            f"{budget.frame_ms:.4g}" if budget.frame_ms else "",
            f"{budget.size_mb:g}" if budget.size_mb else "",
            f"{budget.memory_mb:g}" if budget.memory_mb else "",
            budget.source,
        )
        for name, budget in PRESETS.items()
    ]
    return table(("preset", "frame, ms", "size, MB", "memory, MB", "source"), rows)


def action_inputs() -> str:
    """What the GitHub action takes, from its own file."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    rows = [
        (
            f"`{name}`",
            " ".join(told["description"].split()),
            "**needed**" if told.get("required") else _plain(str(told.get("default", ""))),
        )
        for name, told in action["inputs"].items()
    ]
    return table(("input", "meaning", "if left out"), rows)


def _plain(default: str) -> str:
    return f"`{default}`" if default and "{{" not in default else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _has(target: str, precision: str) -> str:
    if precision not in TARGETS[target].precision_names:
        return ""
    return TARGETS[target].oldest_system(precision) or "yes"


def _values(values: tuple[str, ...]) -> str:
    return ", ".join("a library's path" if value == "*" else f"`{value}`" for value in values)
