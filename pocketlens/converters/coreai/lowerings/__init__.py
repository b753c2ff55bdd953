"""How each ONNX operator is expressed in Core AI, one family of operators a module; importing this fills the table."""

from pocketlens.converters.coreai.lowerings import (  # noqa: F401 - each registers its lowerings
    activations,
    arithmetic,
    convolution,
    depth_to_space,
    linear,
    logic,
    normalization,
    padding,
    pooling,
    quantization,
    reductions,
    resize,
    shapes,
)
from pocketlens.converters.coreai.registry import TABLE

__all__ = ["TABLE"]
