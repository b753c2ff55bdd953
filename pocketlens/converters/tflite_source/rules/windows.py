"""Kernel windows: TFLite says SAME or VALID, and puts the odd row or column of SAME after the picture."""

from typing import Any

from pocketlens.converters.tflite_source.flatbuffer import Operator
from pocketlens.converters.tflite_source.importer import Importer

_SAME = 0


def strides(g: Importer, operator: Operator) -> tuple[int, int]:
    """Steps down and to the right."""
    return g.option(operator, "strideH", least=1), g.option(operator, "strideW", least=1)


def is_same(g: Importer, operator: Operator) -> bool:
    """Whether the output is as large as the input, apart from the stride."""
    return g.option(operator, "padding", most=1) == _SAME


def padding(
    g: Importer, operator: Operator, kernel: tuple[int, int], dilations: tuple[int, int] = (1, 1)
) -> dict[str, Any]:
    """The attributes of a window that slides over the first input.

    SAME of a length n and a stride s gives ``o = ceil(n / s)`` places, which need ``(o - 1) s + (k - 1) d + 1`` rows:
    what n lacks of them is padding, the smaller half before. Where the size is free ONNX computes the same later.
    """
    steps = strides(g, operator)
    shared = {"kernel_shape": kernel, "strides": steps}
    if not is_same(g, operator):
        return shared
    lengths = g.tensor(operator, 0).shape[1:3]
    before, after = [], []
    for length, window, step, dilation in zip(lengths, kernel, steps, dilations, strict=True):
        if length is None:
            return {**shared, "auto_pad": "SAME_UPPER"}
        total = max((-(-length // step) - 1) * step + (window - 1) * dilation + 1 - length, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return {**shared, "pads": (*before, *after)}
