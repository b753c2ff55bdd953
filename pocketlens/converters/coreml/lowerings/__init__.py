"""The lowerings, one family of operators a module; importing this fills the table."""

from pocketlens.converters.coreml.lowerings import (
    activations,
    arithmetic,
    convolution,
    linear,
    normalization,
    pooling,
    quantization,
    reductions,
    resize,
    shapes,
)

__all__ = [
    "activations",
    "arithmetic",
    "convolution",
    "linear",
    "normalization",
    "pooling",
    "quantization",
    "reductions",
    "resize",
    "shapes",
]
