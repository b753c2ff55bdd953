"""Weights in 8 bits: kernels as int8 with a scale for each output channel, as the graph codes them.

Each lies behind a DEQUANTIZE, so that arithmetic stays in floats. Without it LiteRT would choose its hybrid kernels, which
also quantize what the layer reads, anew for each picture: three times as fast, and the picture of ``int8`` and not of ``w8``
(see docs/decisions).
"""

import numpy as np

from pocketlens.converters.tflite.draft import Operator, Tensor
from pocketlens.converters.tflite.half import KERNELS
from pocketlens.converters.weight_quantization.quantized_weights import LEVELS


def code(operators: list[Operator], hybrid: bool = False) -> list[Operator]:
    """Put the weights that the graph codes in 8 bits into int8.

    Args:
        operators: In order; their inputs are replaced.
        hybrid: Let the operator read the int8 weights itself.
    """
    coded: dict[int, Tensor] = {}
    widenings: list[Operator] = []
    for operator in operators:
        index = KERNELS.get(operator.code)
        if index is None:
            continue
        kernel = operator.inputs[index]
        if kernel.scales is None or kernel.data is None:
            continue
        if id(kernel) not in coded:
            small = _integers(kernel)
            wide = small if hybrid else Tensor(kernel.name, kernel.shape)
            coded[id(kernel)] = wide
            if not hybrid:
                # Version 5 is the first that takes a scale for each channel.
                widenings.append(Operator("DEQUANTIZE", [small], [wide], version=5))
        operator.inputs[index] = coded[id(kernel)]
    return [*widenings, *operators]


def _integers(kernel: Tensor) -> Tensor:
    assert kernel.data is not None and kernel.scales is not None
    shape = [1] * len(kernel.shape)
    shape[kernel.axis] = -1
    steps = np.rint(kernel.data / kernel.scales.reshape(shape))
    values = np.clip(steps, -LEVELS, LEVELS).astype(np.int8)
    return Tensor(f"{kernel.name}/int8", kernel.shape, np.dtype(np.int8), values, kernel.scales, kernel.axis)
