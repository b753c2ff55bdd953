"""The precisions: what each name means, and which target has which. Recipes, emitters and documents share this table."""

from dataclasses import dataclass
from typing import Literal

from pocketlens.errors import InputError

Coding = Literal["float", "weights", "activations"]
"""What is coded in fewer bits: nothing or float16; the weights alone; weights and activations."""


@dataclass(frozen=True)
class Precision:
    """A precision.

    Attributes:
        name: As recipes and file names have it.
        coding: What is coded in integers.
        summary: One line for people.
        bits: Of a weight.
    """

    name: str
    coding: Coding
    summary: str
    bits: int


_ALL = (
    Precision("fp32", "float", "32-bit floats", 32),
    Precision("fp16", "float", "16-bit floats; what the arithmetic is in, the device chooses", 16),
    Precision("w8", "weights", "8-bit weights, a scale for each output channel; arithmetic in floats", 8),
    Precision("int8", "activations", "8-bit weights and activations", 8),
    Precision("int8-a16", "activations", "8-bit weights, 16-bit activations", 8),
    Precision("palette8", "weights", "weights from a palette of 256 values a tensor", 8),
    Precision("palette6", "weights", "weights from a palette of 64 values a tensor", 6),
    Precision("palette4", "weights", "weights from a palette of 16 values a tensor", 4),
)
NAMES: dict[str, Precision] = {one.name: one for one in _ALL}
"""Every precision, whatever target has it."""

PRECISIONS: dict[str, tuple[str, ...]] = {
    "onnx": ("fp32", "fp16", "w8", "int8", "int8-a16"),
    "openvino": ("fp32", "fp16", "w8", "int8"),
    "tflite": ("fp32", "fp16", "w8", "int8"),
    "coreml": ("fp32", "fp16", "w8", "int8", "palette8", "palette6", "palette4"),
}
"""The precisions that each target can be emitted in."""

MIN_OS: dict[str, str] = {"coreml": "iOS 16, macOS 13", "coreml-int8": "iOS 17, macOS 14"}
"""The oldest system that plays a target, or a target in a precision."""


def min_os(target: str, precision: str) -> str:
    """The oldest system that plays an artifact; empty if any does.

    Example:
        >>> min_os("coreml", "w8"), min_os("coreml", "int8"), min_os("tflite", "int8")
        ('iOS 16, macOS 13', 'iOS 17, macOS 14', '')
    """
    return MIN_OS.get(f"{target}-{precision}", MIN_OS.get(target, ""))


def check(target: str, precision: str) -> str:
    """The precision, if the target has it.

    Raises:
        InputError: There is no such target, or it has no such precision; the message lists what there is.
    """
    if target not in PRECISIONS:
        raise InputError(f"there is no target {target!r}", do=f"choose from {', '.join(PRECISIONS)}")
    if precision not in PRECISIONS[target]:
        elsewhere = [name for name, has in PRECISIONS.items() if precision in has]
        there = f" ({', '.join(elsewhere)} has it)" if elsewhere else ""
        raise InputError(
            f"{target} has no precision {precision!r}{there}", do=f"choose from {', '.join(PRECISIONS[target])}"
        )
    return precision
