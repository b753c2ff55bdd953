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


def is_weighted_mean(node: ir.Node) -> bool:
    """Whether a product's second input is a matrix of shares: none is negative, and each column adds up to 1.

    Such a product enlarges or averages a picture. It was not learned, and in few bits it would be another picture.

    Example:
        >>> x, shares = ir.Value(name="x"), ir.Value(name="s", const_value=ir.tensor(np.array([[1, 0.5], [0, 0.5]])))
        >>> is_weighted_mean(ir.node("MatMul", [x, shares]))
        True
    """
    array = constant(node.inputs[1]) if node.op_type == "MatMul" else None
    if array is None or array.ndim != 2 or array.dtype.kind != "f":
        return False
    shares = array.astype(np.float64)
    return bool((shares >= 0).all() and np.allclose(shares.sum(0), 1, atol=1e-5))
