"""Half-sized weights: kernels as float16, each behind a DEQUANTIZE that the runtime runs once, when it loads.

This is how TFLite's own float16 files look, so every runtime and delegate knows it: XNNPACK folds the DEQUANTIZE away and
computes in float32, GPU delegates read the float16 kernel itself. Biases and the norms' vectors stay float32: together they
are under one percent of a generator, and they are what half precision hurts.
"""

import numpy as np

from pocketlens.converters.tflite.draft import Operator, Tensor

KERNELS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "TRANSPOSE_CONV": 1, "FULLY_CONNECTED": 1}
"""Operators with weights, and which input they are."""

_LARGEST = float(np.finfo(np.float16).max)


def halve(operators: list[Operator]) -> list[Operator]:
    """Put the weights of all operators into float16, except where a value is out of its range."""
    widened: dict[int, Tensor] = {}
    widenings: list[Operator] = []
    for operator in operators:
        index = KERNELS.get(operator.code)
        if index is None:
            continue
        kernel = operator.inputs[index]
        if id(kernel) not in widened:
            widened[id(kernel)] = _widen(kernel, widenings)
        operator.inputs[index] = widened[id(kernel)]
    return [*widenings, *operators]


def _widen(kernel: Tensor, widenings: list[Operator]) -> Tensor:
    if kernel.data is None or np.abs(kernel.data).max(initial=0.0) > _LARGEST:
        return kernel
    half = Tensor(f"{kernel.name}/half", kernel.shape, np.dtype(np.float16), kernel.data.astype(np.float16))
    wide = Tensor(kernel.name, kernel.shape)
    # Version 3 is the first that takes float16.
    widenings.append(Operator("DEQUANTIZE", [half], [wide], version=3))
    return wide
