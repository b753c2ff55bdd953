"""What each operation of MIL computes, one module for each family; importing this package fills :data:`RULES`."""

from pocketlens.runtimes.mil.rules import (
    activations,
    convolution,
    elementwise,
    normalization,
    ordering,
    pooling,
    resize,
    shapes,
)
from pocketlens.runtimes.mil.rules.registry import RULES, Inputs

__all__ = [
    "RULES",
    "Inputs",
    "activations",
    "convolution",
    "elementwise",
    "normalization",
    "ordering",
    "pooling",
    "resize",
    "shapes",
]
