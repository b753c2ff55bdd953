"""The rules of TFLite's operators, a family a module: each adds the ONNX nodes that compute the same."""

from pocketlens.converters.tflite_source.rules import (
    arithmetic,
    convolution,
    moving,
    pictures,
    reductions,
    slicing,
)

__all__ = ["arithmetic", "convolution", "moving", "pictures", "reductions", "slicing"]
