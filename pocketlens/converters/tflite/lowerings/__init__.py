"""How each ONNX operator is expressed in TFLite, one family of operators a module; importing this fills the table."""

from pocketlens.converters.tflite.lowerings import (  # noqa: F401 - each registers its lowerings
    activations,
    arithmetic,
    convolution,
    depth_to_space,
    linear,
    normalization,
    ordering,
    padding,
    pooling,
    quantization,
    reductions,
    resize,
    shapes,
    transposed_convolution,
)
from pocketlens.converters.tflite.registry import TABLE

__all__ = ["TABLE"]
