"""Reading the constants of a graph, quantized weights among them."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.quantized_weights import quantized_weights_of


def constant(value: ir.Value | None) -> NDArray[np.generic] | None:
    """The value's array if it is a weight or constant, else None; of quantized weights the floats that they stand
    for.
    """
    array = hub.initializer(value)
    if array is not None or value is None or value.producer() is None:
        return array
    weights = quantized_weights_of(value)
    return None if weights is None else weights.dequantize()
