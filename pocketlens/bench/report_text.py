"""Figures and limits as the report writes them."""

from pocketlens.bench.budget import BudgetVerdict
from pocketlens.bundle.manifest import GateResult
from pocketlens.quality import EQUAL_PSNR

_BUDGET_NAMES = {"frame_ms": "frame time", "first_frame_ms": "first frame", "size_mb": "size", "memory_mb": "memory"}
_BUDGET_UNITS = {"frame_ms": "ms", "first_frame_ms": "ms", "size_mb": "MB", "memory_mb": "MB"}
_GATES_AT_MOST = ("flip", "flicker", "skin")


def gate_text(gate: GateResult) -> str:
    """A gate in words.

    Example:
        >>> gate_text(GateResult("psnr", 32.0, 40.123, "pass"))
        'PSNR 40.12 dB (at least 32 dB)'
    """
    name = gate.name.upper() if gate.name in ("psnr", "ssim", "flip") else gate.name
    style = f" of {gate.style}" if gate.style else ""
    unit = " dB" if gate.name == "psnr" else ""
    bound = "at most" if gate.name in _GATES_AT_MOST else "at least"
    return f"{name}{style} {gate.actual:.4g}{unit} ({bound} {gate.limit:g}{unit})"


def budget_text(verdict: BudgetVerdict) -> str:
    """A limit of a budget in words."""
    unit = _BUDGET_UNITS[verdict.name]
    actual = "not known" if verdict.actual is None else f"{verdict.actual:.3g} {unit}"
    return f"{_BUDGET_NAMES[verdict.name]} {actual} (at most {verdict.limit:.3g} {unit})"


def decibels(psnr: float) -> str:
    """A PSNR in words."""
    return "equal" if psnr >= EQUAL_PSNR else f"{psnr:.1f} dB"


def milliseconds(ms: float) -> str:
    """A time, without its unit."""
    return f"{ms:.2f}" if ms < 100 else f"{ms:.0f}"
